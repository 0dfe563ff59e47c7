"""TCP ports for the servers of a run, chosen before the servers are there.

The kernel hands out ports too, to whoever connects or binds to 0, and would hand a chosen one to a neighbour before its
owner came. So they are taken from below the kernel's range, and each is claimed by an abstract Unix socket of its name:
in the same network namespace nobody else can bind that, and it goes with this process, leaving nothing behind.
"""

from __future__ import annotations

import errno
import random
import socket
from collections import deque
from pathlib import Path

_LOWEST = 10_000
_HELD = 512
"""Claims of one process: whoever asks for more has long taken, or given up, the first."""
_claims: deque[socket.socket] = deque()


def free_port() -> int:
    """One that nobody has, and no other run gets while this process lives."""
    ports = range(_LOWEST, _first_of_the_kernel())
    start = random.randrange(len(ports))
    for port in (*ports[start:], *ports[:start]):
        claim = _claim(port)
        if claim is None:
            continue
        if not _can_be_bound(port):
            claim.close()
            continue
        _claims.append(claim)
        if len(_claims) > _HELD:
            _claims.popleft().close()
        return port
    raise RuntimeError(f"no free TCP port in {ports.start}-{ports.stop - 1}: all are bound or claimed by other runs")


def _first_of_the_kernel() -> int:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    # Where nothing is left below it, the claims must do.
    return first if first > _LOWEST + 1000 else 65_536


def _claim(port: int) -> socket.socket | None:
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0crosslogic-port-{port}")
    except OSError:
        claim.close()
        return None
    return claim


def _can_be_bound(port: int) -> bool:
    return _is_free(socket.AF_INET, "0.0.0.0", port) and _is_free(socket.AF_INET6, "::", port)


def _is_free(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        # A machine may have no IPv6 at all.
        return error.errno != errno.EADDRINUSE
    return True
