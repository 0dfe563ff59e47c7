"""Imports modules by name, in the order in which a real start did."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable


def preload(
    names: list[str], impure: Callable[[], str | None], begin: Callable[[str], None] = lambda _: None
) -> str | None:
    """The first module after which `impure` has a reason; it and what follows are then not to be used.

    `begin` hears each name before it is imported.
    """
    for name in names:
        if name in sys.modules:
            continue
        begin(name)
        # Recorded elsewhere, under other circumstances: who needs one that fails will hear its exception.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
        if impure():
            return name
    return None
