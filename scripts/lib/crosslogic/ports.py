"""TCP ports for the servers of a run, chosen before the servers are there.

The kernel hands out ports too, to whoever connects or binds to 0, and would hand a chosen one to a neighbour before its
owner came. So they are taken from below the kernel's range, and each is locked until this process ends: runs beside
each other never choose the same. The locks are of a process, on one byte of a file each: a child inherits none.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import socket
import tempfile
from functools import cache
from pathlib import Path

_LOWEST = 10_000
_taken: set[int] = set()


def free_port() -> int:
    """One that nobody has, and no other run gets while this process lives."""
    ports = range(_LOWEST, _first_of_the_kernel())
    start = random.randrange(len(ports))
    for port in (*ports[start:], *ports[:start]):
        if port not in _taken and _lock(port):
            _taken.add(port)
            if _can_be_bound(port):
                return port
    raise RuntimeError(f"no free TCP port in {ports.start}-{ports.stop - 1}: all are bound or locked by other runs")


def _first_of_the_kernel() -> int:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    # Where nothing is left below it, the locks must do.
    return first if first > _LOWEST + 1000 else 65_536


def _lock(port: int) -> bool:
    try:
        fcntl.lockf(_locks(os.getpid()), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _locks(_process: int) -> int:
    # Closing any descriptor of the file would give up all of this process's locks: one, never closed.
    path = Path(tempfile.gettempdir()) / f"crosslogic-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _can_be_bound(port: int) -> bool:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family) as probe:
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET or error.errno == errno.EADDRINUSE:
                return False
    return True
