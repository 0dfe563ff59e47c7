"""Waiting for facts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Fact = TypeVar("Fact")

LOOK_EVERY = 0.02

# How many times as long as said to wait. The tests raise it: their machine is busy with others of them.
patience = 1.0


class NeverCameError(Exception):
    """The fact did not come about in time, or cannot come about any more."""


def wait_for(
    what: str,
    look: Callable[[], Fact | None],
    seconds: float,
    hopeless: Callable[[], str | None] | None = None,
    every: float = LOOK_EVERY,
) -> Fact:
    """The first truthy value of `look`. Gives up after `seconds`, or as soon as `hopeless` gives a reason."""
    seconds *= patience
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if hopeless and (reason := hopeless()):
            # It may have come about just before it became hopeless.
            if found := look():
                return found
            raise NeverCameError(f"{what}: {reason}")
        if time.monotonic() > deadline:
            raise NeverCameError(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)
