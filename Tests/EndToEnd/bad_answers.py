"""Wrong answers of every kind, and servers with bad TLS."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

GIB = 1 << 30
MAXIMUM_RESIDENT = 96 << 20
"""With the pages of the program itself; a gigabyte would show."""
LEVELS = 100_000
DRIP_EVERY = 0.2

Writer = Callable[[BinaryIO], None]


def answer(body: bytes, status: str = "200 OK", headers: str = "", kind: str = "application/json") -> Writer:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return lambda out: out.write(head.encode() + body) and None


def flood(out: BinaryIO, framing: str, piece: Callable[[bytes], bytes]) -> None:
    out.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{framing}\r\n\r\n".encode())
    chunk = piece(b" " * (1 << 20))
    for _ in range(GIB >> 20):
        out.write(chunk)


def in_chunks(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def drip(out: BinaryIO) -> None:
    """A byte now and then, for ever: never silent, and never done."""
    out.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
    never = threading.Event()
    while not never.wait(DRIP_EVERY):
        out.write(b" ")
        out.flush()


BROKEN_BODIES = {
    "broken JSON": (answer(b'{"generation": 1, "model": '), "not valid JSON"),
    "empty": (answer(b""), "empty"),
    "a number that is none": (answer(b'{"generation": NaN}'), "not valid JSON"),
    "a hundred thousand levels": (answer(b"[" * LEVELS), "not valid JSON"),
    "a member twice": (answer(b'{"generation": 1, "generation": 2}'), "twice"),
}
"""For whoever reads them."""

BROKEN_EXCHANGES: dict[str, tuple[Writer, str]] = {
    "a gigabyte with its length": (lambda out: flood(out, f"Content-Length: {GIB}", bytes), "tooLarge"),
    "a gigabyte without": (lambda out: flood(out, "Transfer-Encoding: chunked", in_chunks), "tooLarge"),
    "headers without an end": (answer(b"{}", headers="X-Padding: a\r\n" * 20_000), "tooLarge"),
    "no HTTP": (lambda out: out.write(b"SSH-2.0-OpenSSH_9.6\r\n") and None, "other"),
    "hung up": (lambda _out: None, "truncated"),
    "half of it": (
        lambda out: out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{") and None,
        "truncated",
    ),
}


class TLSEnd:
    """Accepts, and does what a test wants with each connection."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.serve = serve
        self.connections = 0
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.getsockname()[1]}"

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.connections += 1
            with client:
                try:
                    self.serve(client)
                except OSError:
                    continue


def certificate_for_loopback(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for the right address that nobody else signed, and a server's context with it."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=stranger",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


def bad_tls_end(kind: str, stranger: ssl.SSLContext) -> TLSEnd:
    def serve(client: socket.socket) -> None:
        if kind == "wrong certificate":
            with stranger.wrap_socket(client, server_side=True) as tls:
                tls.recv(1)
        elif kind == "no TLS":
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        else:
            client.recv(64)
            client.sendall(b"\x16\x03\x03\x40\x00\x02")

    return TLSEnd(serve)


BAD_TLS = ["wrong certificate", "hung up in the handshake", "no TLS"]


def cut_off(context: ssl.SSLContext, body: bytes, framing: str, status: str = "200 OK") -> TLSEnd:
    """Ends each answer with the connection, of which nobody says by TLS that it is the end."""

    def serve(client: socket.socket) -> None:
        tls = context.wrap_socket(client, server_side=True)
        tls.recv(1 << 16)
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n{framing}\r\n"
        tls.sendall(head.encode() + body)
        # Without close_notify.
        tls.close()

    return TLSEnd(serve)
