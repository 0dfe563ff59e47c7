"""How many streamer clients a link needs: bandwidth-delay arithmetic on a short measurement of the link itself.

    connections = bandwidth × (time to first byte + chunk ÷ rate of one connection) ÷ chunk

The streamer's `concurrency` is a number of clients. Each opens some 22 connections (counted: 22 at 1, 352 at 16), but
fewer are busy: over the link of `scripts/bench loading` 16 at 1, 27 at 2, 45 at 8, as its rate over that of one
connection says. Too many cost little there, too few cost much: hence twice what the arithmetic says, and of the powers
of two the nearest: rounded up, a link that sits on the edge between two would get one or the other by chance.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

CHUNK = 8 << 20
BUSY_CONNECTIONS = 10
"""Of each client, when there are several."""
HEADROOM = 2
MOST_CLIENTS = 64
PROBED_CONNECTIONS = (16, 64)
SMALL_READ = 256 << 10
SHORT = 0.5
"""Seconds."""
GROWS = 0.4
"""That much of what the connections added could bring: then the link is not full yet."""

Read = Callable[[int, int], bytes]
"""Offset and length, within one large object of the store."""


@dataclass(frozen=True)
class Link:
    first_byte_s: float
    flow_bytes_per_s: float
    """Of one connection."""
    total_bytes_per_s: float
    """Of `connections` together; what this machine's Python could take at most, on a fast link."""
    connections: int
    is_growing: bool = False
    """More connections still brought more: the link is not full."""

    def as_json(self) -> dict[str, Any]:
        return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Choice:
    concurrency: int
    why: str


def probe(read: Read, size: int) -> Link:
    """Takes a few seconds, and less than a gigabyte on the fastest of links; never reads past the end of the object."""
    read(0, 1)  # The connection and its TLS are not what is measured.
    first_byte = statistics.median(timed(lambda: read(0, 1)) for _ in range(5))
    flow = rate_of_one(read, size, first_byte)
    piece = min(size, CHUNK, max(SMALL_READ, int(flow * SHORT)))
    total, connections, is_growing = flow, 1, True
    for more in PROBED_CONNECTIONS:
        rate = rate_of_many(read, size, piece, more, first_byte)
        # Compared with the step before, not with so many single ones: what our own threads cost is in both.
        is_growing = rate / total > GROWS * more / connections
        total, connections = max(total, rate), more
        if not is_growing:
            break
    return Link(first_byte, flow, total, connections, is_growing)


def rate_of_one(read: Read, size: int, first_byte: float) -> float:
    """Longer and longer reads, until one takes long enough to tell."""
    flow = 0.0
    length = SMALL_READ
    while True:
        length = min(length, size, 2 * CHUNK)
        seconds = timed(lambda length=length: read(0, length))
        flow = length / max(seconds - first_byte, 1e-6)
        if seconds > SHORT or length in {size, 2 * CHUNK}:
            return flow
        length *= 4


def rate_of_many(read: Read, size: int, piece: int, connections: int, first_byte: float) -> float:
    offsets = [(number * piece) % max(1, size - piece + 1) for number in range(connections)]
    with ThreadPoolExecutor(connections) as pool:
        # Once for the connections, once for the time.
        list(pool.map(lambda offset: len(read(offset, 1)), offsets))
        seconds = timed(lambda: list(pool.map(lambda offset: len(read(offset, piece)), offsets)))
    return connections * piece / max(seconds - first_byte, 1e-6)


def timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def choose(link: Link, nic_bytes_per_s: float | None = None) -> Choice:
    """`nic_bytes_per_s`: the network card's speed, where it is known; the link cannot be faster."""
    ceiling = 4 * link.total_bytes_per_s if link.is_growing else link.total_bytes_per_s
    if nic_bytes_per_s:
        ceiling = min(ceiling, nic_bytes_per_s)
    needed = ceiling * (link.first_byte_s + CHUNK / link.flow_bytes_per_s) / CHUNK
    clients = min(MOST_CLIENTS, power_of_two(HEADROOM * needed / BUSY_CONNECTIONS))
    delay = link.first_byte_s * 1000
    return Choice(
        clients,
        f"first byte after {delay:.1f} ms, {link.flow_bytes_per_s / 1e6:.0f} MB/s on one connection, "
        f"{link.total_bytes_per_s / 1e6:.0f} MB/s on {link.connections}: {math.ceil(needed)} connections fill "
        f"{ceiling / 1e6:.0f} MB/s, concurrency {clients} has them",
    )


def power_of_two(about: float) -> int:
    """The nearest one, by ratio."""
    return 1 << max(0, round(math.log2(about))) if about > 1 else 1
