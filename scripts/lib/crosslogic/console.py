"""Lines for people: a live one on a terminal, plain ones elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

BAR_WIDTH = 24


class Console:
    """Finished lines scroll; on a terminal the last line is live and redrawn in place."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.is_terminal = self.stream.isatty()
        self._live = ""
        self._last_plain = ""

    def line(self, text: str = "") -> None:
        self._erase()
        print(text, file=self.stream, flush=True)

    def live(self, text: str) -> None:
        """Replaces the live line. Without a terminal there is none: use `stage` for what must be seen there."""
        if not self.is_terminal:
            return
        width = shutil.get_terminal_size().columns - 1
        self._live = text[:width]
        self.stream.write(f"\r\x1b[K{self._live}")
        self.stream.flush()

    def stage(self, text: str, detail: str = "") -> None:
        """A stage of something long: live on a terminal; elsewhere a line each time the stage changes."""
        if self.is_terminal:
            self.live(f"{text}{detail}")
        elif text != self._last_plain:
            self.line(text)
        self._last_plain = text

    def done(self) -> None:
        self._erase()

    def _erase(self) -> None:
        if self._live:
            self.stream.write("\r\x1b[K")
            self._live = ""


def bar(fraction: float) -> str:
    filled = round(max(0.0, min(1.0, fraction)) * BAR_WIDTH)
    return f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {fraction:4.0%}"


def table(rows: list[list[str]], right: set[int] = frozenset()) -> list[str]:
    """Columns as wide as they need to be; the ones in `right` are right-aligned."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


class Stopwatch:
    def __init__(self) -> None:
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started
