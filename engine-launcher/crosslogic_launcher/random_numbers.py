"""A process that is made from another's memory draws numbers of its own."""

from __future__ import annotations

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
    """After a restore, where OpenSSL does not see that it is in another process as it does after a fork."""
    reseed()
    ssl = sys.modules.get("ssl")
    if ssl is not None:
        ssl.RAND_add(os.urandom(64), 64.0)
