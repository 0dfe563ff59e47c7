"""How a command ends: exit codes after sysexits.h, and failures that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from crosslogic.console import Console


class Exit(IntEnum):
    OK = 0
    USAGE = 2
    UNSOUND = 65
    NOT_FOUND = 66
    UNAVAILABLE = 69
    VERIFICATION = 70
    TRY_AGAIN = 75
    REFUSED = 77
    SETTINGS = 78
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done",
    Exit.USAGE: "wrong usage",
    Exit.UNSOUND: "the model is not sound: no safetensors, a missing or truncated shard, a stray file",
    Exit.NOT_FOUND: "no such model, bucket or folder",
    Exit.UNAVAILABLE: "the store, the Hub or the CDN cannot be reached, or something cannot be installed",
    Exit.VERIFICATION: "what is in the store is not what was sent",
    Exit.TRY_AGAIN: "cut short on the way: run it again, it continues where it stopped",
    Exit.REFUSED: "the credentials were refused",
    Exit.SETTINGS: "a setting is missing or bad",
    Exit.INTERRUPTED: "Ctrl-C",
}


def exit_codes(*codes: Exit) -> str:
    """For the end of `--help`."""
    return "exit codes:\n" + "\n".join(f"  {code:>3}  {MEANINGS[code]}" for code in codes)


class OperatorError(Exception):
    """What went wrong, where, and what to do."""

    def __init__(self, code: Exit, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.remedy = remedy


def run(command: Callable[[], Exit], console: Console) -> int:
    """The exit code; a failure is told in two lines, without a traceback."""
    try:
        return command()
    except OperatorError as error:
        console.done()
        console.line(f"error: {error}")
        if error.remedy:
            console.line(f"       {error.remedy}")
        return error.code
    except KeyboardInterrupt:
        console.done()
        console.line("interrupted")
        return Exit.INTERRUPTED
