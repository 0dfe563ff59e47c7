"""A start that was told to go does not wait for an import that hangs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds without another module. A start that says nothing for 60 is taken for stalled."""
LOOK_EVERY = 0.25


class Imports:
    """What goes on in the main thread, for the one that watches it."""

    def __init__(self) -> None:
        self.current: str | None = None
        """The module asked for by name; None where that is vLLM's command, or nothing yet."""
        self.ended = threading.Event()

    def begin(self, name: str) -> None:
        self.current = name

    def watch(self, patience: float, on_hang: Callable[[], None]) -> None:
        """Returns when they have ended. Ones that are slow go on: a slow disk is no reason to begin from the start."""
        known, since = len(sys.modules), time.monotonic()
        while not self.ended.wait(LOOK_EVERY):
            if len(sys.modules) != known:
                known, since = len(sys.modules), time.monotonic()
            elif time.monotonic() - since > patience:
                on_hang()
                return
