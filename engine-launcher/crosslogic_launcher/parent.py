"""How a process goes with the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """By that signal; 0 takes it back. Survives an exec, and comes when the thread that forked ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)


def die_with(parent: int) -> None:
    """In a child of that process; at once, where it has ended already."""
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)
