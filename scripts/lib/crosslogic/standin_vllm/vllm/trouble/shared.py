"""A module that shares memory with processes it forks."""

from __future__ import annotations

import mmap

SHARED = mmap.mmap(-1, 4096)
