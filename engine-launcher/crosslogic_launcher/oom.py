"""Which process the kernel ends when memory is short: one that waits, and is missed by nobody, before all others."""

from __future__ import annotations

import contextlib
from pathlib import Path

FILE = Path("/proc/self/oom_score_adj")
FIRST = 1000


def score() -> int:
    try:
        return int(FILE.read_text())
    except (OSError, ValueError):
        return 0


def adjust(value: int) -> None:
    """Of this process, and of those it starts from now on. Without the right to, it stays what it is."""
    with contextlib.suppress(OSError):
        FILE.write_text(str(value))
