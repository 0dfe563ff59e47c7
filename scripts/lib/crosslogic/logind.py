"""A system bus with nothing but logind on it, as far as an inhibitor needs either (D-Bus Specification 0.42)."""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

LOGIND = "org.freedesktop.login1"
MANAGER = "org.freedesktop.login1.Manager"
CALL, REPLY, SIGNAL = 1, 2, 4
PATH, INTERFACE, MEMBER, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE, UNIX_FDS = 1, 2, 3, 5, 6, 7, 8, 9


@dataclass(frozen=True)
class Message:
    kind: int
    serial: int
    member: str
    body: bytes


class LogindDouble:
    """`delay` is InhibitDelayMaxUSec in seconds."""

    def __init__(self, path: Path, delay: float = 5) -> None:
        self.path = path
        self.delay = delay
        self.is_preparing = False
        self.lock = threading.Lock()
        self.clients: list[socket.socket] = []
        self.locks: list[int] = []
        """Our ends of the pipes whose other ends are delay locks."""
        self.serial = 0
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Listening ends first: whoever is dropped must not come back.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()

    def drop(self) -> None:
        """Hangs up on every client, as a bus does that is started again."""
        with self.lock:
            clients, self.clients = self.clients, []
            for end in self.locks:
                os.close(end)
            self.locks = []
        for client in clients:
            # It may have hung up by itself.
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def holds(self) -> int:
        """How many delay locks are held."""
        with self.lock:
            self.locks = [end for end in self.locks if not has_hung_up(end)]
            return len(self.locks)

    def prepare_for_shutdown(self, starts: bool) -> float:
        """Emits the signal, and answers when that was, on the monotonic clock."""
        body = struct.pack("<I", starts)
        header = [
            (PATH, "o", "/org/freedesktop/login1"),
            (INTERFACE, "s", MANAGER),
            (MEMBER, "s", "PrepareForShutdown"),
            (SENDER, "s", LOGIND),
            (SIGNATURE, "g", "b"),
        ]
        with self.lock:
            self.is_preparing = starts
            message = self.message(SIGNAL, header, body)
            now = time.monotonic()
            for client in self.clients:
                client.sendall(message)
        return now

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with client:
            reader = client.makefile("rb")
            try:
                authenticate(client, reader)
                while call := read_message(reader):
                    if call.kind == CALL:
                        self.answer(client, call)
            except OSError:
                return

    def answer(self, client: socket.socket, call: Message) -> None:
        header = [(REPLY_SERIAL, "u", call.serial), (DESTINATION, "s", ":1.1"), (SENDER, "s", LOGIND)]
        with self.lock:
            if call.member == "Hello":
                self.clients.append(client)
                client.sendall(self.message(REPLY, [*header, (SIGNATURE, "g", "s")], text(":1.1")))
            elif call.member == "Inhibit":
                ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                self.locks.append(ours)
                header += [(SIGNATURE, "g", "h"), (UNIX_FDS, "u", 1)]
                message = self.message(REPLY, header, struct.pack("<I", 0))
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs]))
                client.sendmsg([message], [rights])
                os.close(theirs)
            elif call.member == "Get":
                body = self.property(call.body)
                client.sendall(self.message(REPLY, [*header, (SIGNATURE, "g", "v")], body))
            else:
                client.sendall(self.message(REPLY, header, b""))

    def property(self, question: bytes) -> bytes:
        """A variant."""
        if b"PreparingForShutdown" in question:
            return b"\x01b\0\0" + struct.pack("<I", self.is_preparing)
        return b"\x01t\0" + b"\0" * 5 + struct.pack("<Q", int(self.delay * 1e6))

    def message(self, kind: int, header: list[tuple[int, str, str | int]], body: bytes) -> bytes:
        self.serial += 1
        fields = b""
        for code, signature, value in header:
            fields = padded(fields, 8) + bytes([code, 1]) + signature.encode() + b"\0"
            if signature == "g":
                encoded = str(value).encode()
                fields += bytes([len(encoded)]) + encoded + b"\0"
            elif isinstance(value, int):
                fields += struct.pack("<I", value)
            else:
                fields += text(value)
        fixed = struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), self.serial, len(fields))
        return padded(fixed + fields, 8) + body


def authenticate(client: socket.socket, reader: BinaryIO) -> None:
    """EXTERNAL, whoever it is. sd-bus says everything at once and reads the answers later."""
    while line := reader.readline():
        words = line.strip(b"\0\r\n").split()
        if not words:
            continue
        if words[0] == b"BEGIN":
            return
        if words[0] == b"NEGOTIATE_UNIX_FD":
            client.sendall(b"AGREE_UNIX_FD\r\n")
        elif words == [b"AUTH", b"EXTERNAL"]:
            client.sendall(b"DATA\r\n")
        else:
            client.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
    raise ConnectionError("hung up while it said who it is")


def read_message(reader: BinaryIO) -> Message | None:
    fixed = reader.read(16)
    if len(fixed) < 16:
        return None
    _, kind, _, _, length, serial, fields_length = struct.unpack("<cBBBIII", fixed)
    fields = reader.read(fields_length + -fields_length % 8)[:fields_length]
    return Message(kind, serial, member_of(fields), reader.read(length))


def member_of(fields: bytes) -> str:
    """The one field that tells the calls apart."""
    position = 0
    while position < len(fields):
        code, signature = fields[position], chr(fields[position + 2])
        position += 4
        if signature == "g":
            position += fields[position] + 2
        elif signature in "so":
            (length,) = struct.unpack_from("<I", fields, position)
            if code == MEMBER:
                return fields[position + 4 : position + 4 + length].decode()
            position += 4 + length + 1
        else:
            position += 4
        position += -position % 8
    return ""


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<I", len(encoded)) + encoded + b"\0"


def padded(data: bytes, to: int) -> bytes:
    return data + b"\0" * (-len(data) % to)


def has_hung_up(reading_end: int) -> bool:
    """Whether no writer is left; closes the end then."""
    try:
        if os.read(reading_end, 1):
            return False
    except BlockingIOError:
        return False
    os.close(reading_end)
    return True
