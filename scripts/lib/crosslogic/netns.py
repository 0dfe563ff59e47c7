"""A network of one's own: loopback with the addresses at which clouds put their metadata. Needs root."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator

METADATA_ADDRESSES = ("169.254.169.254", "100.100.100.200")

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
IFF_UP_RUNNING_LOOPBACK = 0x49


@contextlib.contextmanager
def own_network(addresses: tuple[str, ...] = METADATA_ADDRESSES) -> Iterator[None]:
    """For this thread and whatever it starts. What was started before stays where it was."""
    libc = ctypes.CDLL(None, use_errno=True)

    def check(result: int, what: str) -> None:
        if result != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{what}: {os.strerror(code)}")

    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(libc.unshare(CLONE_NEWNET), "unshare(CLONE_NEWNET)")
        try:
            bring_up(addresses)
            yield
        finally:
            check(libc.setns(before, CLONE_NEWNET), "setns")
    finally:
        os.close(before)


def bring_up(addresses: tuple[str, ...]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP_RUNNING_LOOPBACK))
        for number, address in enumerate(addresses):
            name = f"lo:{number}".encode()
            fcntl.ioctl(any_socket, SIOCSIFADDR, interface_request(name, address))
            fcntl.ioctl(any_socket, SIOCSIFNETMASK, interface_request(name, "255.255.255.255"))


def interface_request(name: bytes, address: str) -> bytes:
    return struct.pack("16sH2s4s8x", name, socket.AF_INET, b"\0\0", socket.inet_aton(address))
