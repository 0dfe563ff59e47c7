"""A module with memory that a forked child finds empty."""

from __future__ import annotations

import mmap

MEMORY = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
MEMORY.madvise(18)
