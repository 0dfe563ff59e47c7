"""How a process goes with the one that started it."""

from __future__ import annotations

import ctypes
import signal

PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """By that signal; 0 takes it back. Survives an exec, and comes when the thread that forked ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
