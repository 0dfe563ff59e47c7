"""Words and progress bars for people; with rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from crosslogic.console import Console
from crosslogic.operator.checkpoint import Checkpoint


def human_size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} TB"


def show_findings(checkpoint: Checkpoint, console: Console) -> None:
    for finding in checkpoint.findings:
        console.line(f"{'ERROR  ' if finding.level == 'fatal' else 'warning'}  {finding.message}")
        if finding.remedy:
            console.line(f"         {finding.remedy}")


class Transfer:
    """A bar for each file and one for all of it. May be told of progress by several threads."""

    def __init__(self, sizes: dict[str, int], console: Console) -> None:
        self.console = console
        self.sizes = sizes
        self.bars: Any = None
        self.tasks: dict[str, Any] = {}
        if sys.stderr.isatty():
            self.make_bars()

    def make_bars(self) -> None:
        from rich import progress  # noqa: PLC0415 - it takes 0.1 s, and only terminals need it
        from rich.console import Console as RichConsole  # noqa: PLC0415

        self.bars = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            progress.TimeRemainingColumn(),
            console=RichConsole(stderr=True),
        )
        self.tasks[""] = self.bars.add_task("all", total=sum(self.sizes.values()))

    def begin(self, name: str) -> None:
        if self.bars:
            self.tasks[name] = self.bars.add_task(name, total=self.sizes[name])

    def advance(self, name: str, size: int) -> None:
        if self.bars:
            self.bars.advance(self.tasks[name], size)
            self.bars.advance(self.tasks[""], size)

    def end(self, name: str, words: str) -> None:
        if self.bars:
            self.bars.remove_task(self.tasks.pop(name))
            self.bars.console.print(f"  {name}  {words}", highlight=False)
        else:
            self.console.line(f"  {name}  {words}")

    def __enter__(self) -> Self:
        if self.bars:
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.bars:
            self.bars.stop()
