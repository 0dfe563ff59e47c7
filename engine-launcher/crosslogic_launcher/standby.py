"""A start that waits: all is imported, and what to serve comes as one message over a private socket."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crosslogic_launcher import environment
from crosslogic_launcher.installation import installation

LIMIT = 1 << 20
PATIENCE = 10.0
"""Seconds for a message, from the connection to its last byte."""


@dataclass
class Go:
    argv: list[str]
    environment: dict[str, str]


class Standby:
    """Answers at once, while imports may still go on: whether a start fits is known from the environment alone.

    The socket's folder belongs to the engine's user and to nobody else; that is what makes it private.
    """

    def __init__(self, path: Path, vllm: Path, parked: dict[str, str], then: Callable[[Go], None]) -> None:
        """`parked` is the environment of the imports. `then` runs in a thread of its own from the go on; who waits for
        that does not wait for it.
        """
        self.path = path
        self.vllm = vllm
        self.then = then
        self.installed = installation(vllm)
        self.parked = parked
        self.since = time.monotonic()
        self.go: Go | None = None
        self.is_withdrawn = False
        self.deciding = threading.Lock()
        self.told = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self.listener.bind(str(path))
        finally:
            os.umask(before)
        self.listener.listen(4)
        self.thread = threading.Thread(target=self._listen, name="standby", daemon=True)
        self.thread.start()

    def wait(self) -> Go:
        self.told.wait()
        assert self.go
        return self.go

    def _listen(self) -> None:
        while self.go is None:
            connection, _ = self.listener.accept()
            with connection, contextlib.suppress(OSError, ValueError):
                go = read(connection, PATIENCE)
                with self.deciding:
                    refusal = self._refusal(go)
                    if refusal is None:
                        self.go = go
                connection.sendall(f"refused: {refusal}\n".encode() if refusal else b"ok\n")
        self.listener.close()
        self.path.unlink(missing_ok=True)
        self.told.set()
        self.then(self.go)

    def withdraw(self) -> bool:
        """Whether nobody was told to go so far; then nobody is from now on."""
        with self.deciding:
            self.is_withdrawn = self.go is None
        return self.is_withdrawn

    def _refusal(self, go: Go) -> str | None:
        if self.is_withdrawn:
            return "it begins anew"
        if installation(self.vllm) != self.installed:
            return "another vLLM is installed now"
        name = environment.difference(self.parked, go.environment)
        return f"{name} differs from what was set when it parked" if name else None


def read(connection: socket.socket, patience: float) -> Go:
    """Strings of C, `A` before an argument and `E` before a variable, and an empty one at the end.

    Raises ValueError for anything else, and TimeoutError for what takes longer than `patience` seconds.
    """
    deadline = time.monotonic() + patience
    content = bytearray()
    while not content.endswith(b"\0\0"):
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        piece = connection.recv(1 << 16)
        content += piece
        if not piece or len(content) > LIMIT:
            raise ValueError("no whole message")
    go = Go([], {})
    for entry in content[:-2].split(b"\0"):
        text = os.fsdecode(bytes(entry[1:]))
        if entry[:1] == b"A":
            go.argv.append(text)
        else:
            name, _, value = text.partition("=")
            go.environment[name] = value
    return go
