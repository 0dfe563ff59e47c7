"""One process of the stack: its own session, its log in a file, and an end for certain."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from crosslogic.waiting import wait_for

# Should this script be killed, the kernel asks its parts to stop. It executes the part in place: same pid.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "TERM", "--"]


class Part:
    def __init__(self, name: str, command: list[str | Path], log: Path, environment: Mapping[str, str]) -> None:
        """Starts it. Standard output and error are appended to the log."""
        self.name = name
        self.log = log
        self.started = time.monotonic()
        self.exec_boot_time = time.clock_gettime(time.CLOCK_BOOTTIME)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*DIE_WITH_PARENT, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def has_exited(self) -> bool:
        return self.process.poll() is not None

    def why_gone(self) -> str | None:
        """For `wait_for`: a reason once it has ended."""
        if not self.has_exited:
            return None
        return f"{self.name} ended with {exit_words(self.process.returncode)}; {self.log}:\n{self.last_words()}"

    def wait_for_line(self, pattern: str, seconds: float) -> re.Match[str]:
        """The first match in the log."""
        expression = re.compile(pattern)
        return wait_for(f"{self.name} says /{pattern}/", lambda: expression.search(self.text()), seconds, self.why_gone)

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def last_words(self, lines: int = 12) -> str:
        return "\n".join("    " + line for line in self.text().splitlines()[-lines:])

    def send(self, number: signal.Signals) -> None:
        if not self.has_exited:
            self.process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """The exit code; negative for a signal. Raises `subprocess.TimeoutExpired`."""
        return self.process.wait(seconds)

    def stop(self, seconds: float) -> int:
        """SIGTERM, and SIGKILL to its group when that did not help in time."""
        self.send(signal.SIGTERM)
        try:
            return self.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            return self.wait(10)


def exit_words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
