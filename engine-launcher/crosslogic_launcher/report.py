"""The lines that the node agent reads in the engine's log."""

from __future__ import annotations

import contextlib
import os

PREFIX = "crosslogic-launcher: "


def say(text: str, descriptor: int = 1) -> None:
    """One write, so that no other process's line mixes with it. A log that cannot be written has nowhere to say so."""
    line = PREFIX + " ".join(text.split()) + "\n"
    with contextlib.suppress(OSError):
        os.write(descriptor, line.encode("utf-8", "replace")[:4096])
