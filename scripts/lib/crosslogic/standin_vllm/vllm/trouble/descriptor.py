"""A module that keeps a file open."""

from __future__ import annotations

import os

KEPT = os.open(__file__, os.O_RDONLY)
