"""Metadata services of clouds as loopback servers, at the real addresses, with the real services' ways and worse ones.

`now` is the double's own clock: it may be minutes off, or step, and only its Date header says so.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LINK_LOCAL = "169.254.169.254"


@dataclass
class Trouble:
    """What happens to every request until it is lifted. The default is none."""

    status: int | None = None
    stall: bool = False
    for_good: bool = False
    """A request that stalls is not answered either when the trouble is over for others."""
    drip: bool = False
    body: bytes | None = None
    """Instead of the real one, with status 200."""
    truncated: bool = False


@dataclass(frozen=True)
class Asked:
    at: float
    method: str
    path: str
    headers: dict[str, str] = field(hash=False)
    connection: int


class MetadataDouble:
    """One service. Subclasses answer; `trouble` comes before any answer."""

    def __init__(self, address: str = LINK_LOCAL, port: int = 80, skew: float = 0) -> None:
        self.skew = skew
        self.trouble = Trouble()
        self.asked: list[Asked] = []
        self.changed = threading.Condition()
        self.connections: set[int] = set()
        self.is_closing = False
        self.server = QuietServer((address, port), handler_of(self))
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def now(self) -> float:
        return time.time() + self.skew

    def change(self, **values: Any) -> float:
        """Sets what is announced, and answers when that was, on the monotonic clock."""
        with self.changed:
            for name, value in values.items():
                setattr(self, name, value)
            self.changed.notify_all()
            return time.monotonic()

    def count(self, fragment: str) -> int:
        with self.changed:
            return sum(fragment in asked.path for asked in self.asked)

    def counts(self) -> Counter[str]:
        with self.changed:
            return Counter(asked.path.partition("?")[0] for asked in self.asked)

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def close(self) -> None:
        self.change(is_closing=True, trouble=Trouble())
        self.server.shutdown()
        self.server.server_close()


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


@dataclass
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def text(body: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(200, body.encode(), {"Content-Type": "text/plain", **(headers or {})})


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_arguments: object) -> None:
        """Clients that give up in the middle of an answer are part of the play."""


def handler_of(double: MetadataDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One packet for each answer: a second one would wait for the first one's acknowledgement.
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            double.connections.add(self.client_address[1])

        def log_message(self, *_arguments: object) -> None:
            pass

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(double.now if timestamp is None else timestamp, usegmt=True)

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(
                self.command,
                parts.path,
                {name: values[-1] for name, values in parse_qs(parts.query).items()},
                headers,
                self.rfile.read(length),
            )
            with double.changed:
                double.asked.append(Asked(time.monotonic(), self.command, self.path, headers, self.client_address[1]))
            if not self.make_trouble(double.trouble):
                self.give(double.answer(request))

        def do_GET(self) -> None:
            self.handle_any()

        def do_PUT(self) -> None:
            self.handle_any()

        def do_POST(self) -> None:
            self.handle_any()

        def make_trouble(self, trouble: Trouble) -> bool:
            if trouble.stall:
                with double.changed:
                    double.changed.wait_for(
                        lambda: double.is_closing or not (trouble.for_good or double.trouble.stall), timeout=60
                    )
                self.close_connection = True
            elif trouble.drip:
                self.drip()
            elif trouble.status is not None:
                self.give(Answer(trouble.status, b"<html>trouble</html>", {"Content-Type": "text/html"}))
            elif trouble.body is not None:
                self.give(Answer(200, trouble.body), longer=1000 if trouble.truncated else 0)
            else:
                return False
            return True

        def drip(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            while double.trouble.drip and not double.is_closing:
                self.wfile.write(b"{")
                self.wfile.flush()
                time.sleep(0.1)
            self.close_connection = True

        def give(self, answer: Answer, longer: int = 0) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + longer))
            self.end_headers()
            self.wfile.write(answer.body)
            self.wfile.flush()
            self.close_connection = self.close_connection or longer > 0

    return Handler
