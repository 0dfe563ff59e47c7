"""A process that is made from another's memory draws numbers of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import sys


def reseed() -> None:
    """As a process draws them when it starts."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def renew() -> None:
    """After a restore: what else was drawn, or read, when the memory was made."""
    reseed()
    ssl = sys.modules.get("ssl")
    if ssl is not None:
        ssl.RAND_add(os.urandom(64), 64.0)
    multiprocessing.current_process().authkey = os.urandom(32)
    collector = getattr(sys.modules.get("prometheus_client"), "PROCESS_COLLECTOR", None)
    with contextlib.suppress(AttributeError):
        # It adds the boot's time to that of a process, and another boot may have made it.
        collector._btime = collector._boot_time()
