"""Small messages with descriptors, over a socket that keeps their borders (SOCK_SEQPACKET)."""

from __future__ import annotations

import array
import json
import socket
from typing import Any

SIZE = 1 << 18
"""Of a message: an environment, and it fits the socket's default buffer."""
DESCRIPTORS = 64


def send(channel: socket.socket, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """Raises ValueError for more descriptors than are received at a time: the others would be lost without a word."""
    rights = array.array("i", descriptors or [])
    if len(rights) > DESCRIPTORS:
        raise ValueError(f"{len(rights)} descriptors are handed on")
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
    channel.sendmsg([json.dumps(message).encode("utf-8", "surrogateescape")], ancillary, socket.MSG_NOSIGNAL)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """None when nobody is left who could send."""
    rights = array.array("i")
    space = socket.CMSG_SPACE(DESCRIPTORS * rights.itemsize)
    data, ancillary, _, _ = channel.recvmsg(SIZE, space, socket.MSG_CMSG_CLOEXEC)
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            rights.frombytes(content[: len(content) - len(content) % rights.itemsize])
    return (json.loads(data), rights.tolist()) if data else None
