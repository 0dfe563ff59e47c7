"""Which process the kernel ends when memory is short: one that waits, and is missed by nobody, before all others."""

from __future__ import annotations

import contextlib
from pathlib import Path

FIRST = 1000


def score() -> int:
    try:
        return int(file("self").read_text())
    except (OSError, ValueError):
        return 0


def adjust(value: int, pid: int | str = "self") -> None:
    """Of that process, and of those it starts from now on. Without the right to, it stays what it is."""
    with contextlib.suppress(OSError):
        file(pid).write_text(str(value))


def file(pid: int | str) -> Path:
    return Path(f"/proc/{pid}/oom_score_adj")
