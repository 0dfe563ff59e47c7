"""The service manager's end of NOTIFY_SOCKET: a real datagram socket that writes down what comes, and when."""

from __future__ import annotations

import array
import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from crosslogic.waiting import wait_for


@dataclass(frozen=True)
class Notification:
    boot_time: float
    """Seconds on the boot clock, on arrival."""
    fields: dict[str, str]


class NotifySocket:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._received: list[Notification] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._receive, name="notify socket", daemon=True)
        self._thread.start()

    def _receive(self) -> None:
        descriptors = array.array("i")
        room = socket.CMSG_LEN(8 * descriptors.itemsize)
        while True:
            message, ancillary, _, _ = self._socket.recvmsg(65536, room)
            now = time.clock_gettime(time.CLOCK_BOOTTIME)
            for level, kind, data in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    # FDSTORE and BARRIER bring descriptors; closing one is the answer to a barrier.
                    close_all(data)
            if not message:
                return
            fields = dict(line.partition("=")[::2] for line in message.decode("utf-8", "replace").splitlines())
            with self._lock:
                self._received.append(Notification(now, fields))

    @property
    def received(self) -> list[Notification]:
        with self._lock:
            return list(self._received)

    def first(self, name: str, value: str | None = None) -> Notification | None:
        return next(
            (n for n in self.received if name in n.fields and value in (None, n.fields[name])),
            None,
        )

    def wait_for(self, name: str, value: str, seconds: float) -> Notification:
        return wait_for(f"{name}={value}", lambda: self.first(name, value), seconds)

    @property
    def status_lines(self) -> list[str]:
        return [n.fields["STATUS"] for n in self.received if "STATUS" in n.fields]

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as farewell:
            farewell.sendto(b"", str(self.path))
        self._thread.join(timeout=5)
        self._socket.close()
        self.path.unlink(missing_ok=True)


def close_all(data: bytes) -> None:
    descriptors = array.array("i")
    descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    for descriptor in descriptors:
        os.close(descriptor)
