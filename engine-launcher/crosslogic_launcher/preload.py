"""Imports modules by name, in the order in which a real start did."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable


def preload(names: list[str], impure: Callable[[], str | None]) -> str | None:
    """The first module after which `impure` has a reason; it and what follows are then not to be used."""
    for name in names:
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except Exception:
            # Recorded elsewhere, under other circumstances: who needs it will hear its exception.
            continue
        if impure():
            return name
    return None
