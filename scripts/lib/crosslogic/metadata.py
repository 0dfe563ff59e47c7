"""Metadata services of clouds as loopback servers, at the real addresses, with the real services' ways and worse ones.

`now` is the double's own clock: it may be minutes off, or step, and only its Date header says so.
"""

from __future__ import annotations

import json
import secrets
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

NOT_FOUND = (
    b'<?xml version="1.0" encoding="iso-8859-1"?>\n<html xmlns="http://www.w3.org/1999/xhtml">\n <head>\n'
    b"  <title>404 - Not Found</title>\n </head>\n <body>\n  <h1>404 - Not Found</h1>\n </body>\n</html>\n"
)


@dataclass
class Trouble:
    """What happens to every request until it is lifted. The default is none."""

    status: int | None = None
    stall: bool = False
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


class AWS(MetadataDouble):
    """IMDSv2. `action` and `time` are announced together; `time` may be a number of seconds ahead at each look."""

    action: str | None = None
    time: str | None = None
    moving_time: float | None = None
    raw: bytes | None = None
    rebalance: str | None = None
    scheduled: list[dict[str, str]] | None = None
    token_life: float = 21600
    requires_token: bool = True
    token_stalls: bool = False

    def __init__(self, **options: Any) -> None:
        self.tokens: dict[str, float] = {}
        super().__init__(**options)

    def announce(self, ahead: float, action: str = "terminate") -> float:
        return self.change(action=action, time=iso(self.now + ahead))

    def answer(self, request: Request) -> Answer:
        if request.path == "/latest/api/token":
            return self.token(request)
        token = request.headers.get("x-aws-ec2-metadata-token")
        if (token is not None or self.requires_token) and self.tokens.get(token or "", 0) <= time.monotonic():
            return Answer(401, b"<html><body>401 - Unauthorized</body></html>")
        return self.keys(request.path.removeprefix("/latest/meta-data/"))

    def token(self, request: Request) -> Answer:
        if request.method != "PUT":
            return Answer(405)
        if self.token_stalls:
            with self.changed:
                self.changed.wait_for(lambda: not self.token_stalls or self.is_closing, timeout=60)
        seconds = request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
        if not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
            return Answer(400)
        life = min(float(seconds), self.token_life)
        token = secrets.token_urlsafe(32)
        self.tokens[token] = time.monotonic() + life
        return Answer(200, token.encode(), {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": str(int(life))})

    def keys(self, key: str) -> Answer:
        if key == "spot/instance-action":
            if self.raw is not None:
                return Answer(200, self.raw)
            if self.action is None:
                return Answer(404, NOT_FOUND, {"Content-Type": "text/html"})
            when = iso(self.now + self.moving_time) if self.moving_time is not None else self.time
            return text(json.dumps({"action": self.action, "time": when}))
        if key == "spot/termination-time" and self.action:
            return text(self.time or "")
        if key == "events/recommendations/rebalance" and self.rebalance:
            return text(json.dumps({"noticeTime": self.rebalance}))
        if key == "events/maintenance/scheduled":
            return text(json.dumps(self.scheduled or []))
        place = {
            "placement/availability-zone": "us-east-1a",
            "placement/region": "us-east-1",
            "instance-type": "p5.48xlarge",
        }
        return text(place[key]) if key in place else Answer(404, NOT_FOUND, {"Content-Type": "text/html"})


class GCP(MetadataDouble):
    preempted: str = "FALSE"
    maintenance: str = "NONE"

    def answer(self, request: Request) -> Answer:
        if request.headers.get("metadata-flavor") != "Google":
            return Answer(403, b"Missing Metadata-Flavor:Google header.")
        key = request.path.removeprefix("/computeMetadata/v1/instance/")
        if key in {"zone", "machine-type"}:
            words = {"zone": "zones/us-central1-a", "machine-type": "machineTypes/a3-highgpu-8g"}
            return text(f"projects/1/{words[key]}", {"Metadata-Flavor": "Google"})
        if key == "upcoming-maintenance":
            return Answer(503, b'{"error":"no notifications have been received yet, try again later"}')
        name = {"preempted": "preempted", "maintenance-event": "maintenance"}.get(key)
        if name is None:
            return Answer(404)
        if request.query.get("wait_for_change") == "true":
            with self.changed:
                self.changed.wait_for(
                    lambda: self.etag(name) != request.query.get("last_etag") or self.is_closing,
                    timeout=float(request.query.get("timeout_sec", 60)),
                )
        return text(getattr(self, name), {"Metadata-Flavor": "Google", "ETag": self.etag(name)})

    def etag(self, name: str) -> str:
        return getattr(self, name).encode().hex()


class Azure(MetadataDouble):
    events: list[dict[str, Any]] = []
    incarnation: int = 1
    versions = {"2020-07-01"}
    first_delay: float = 0

    def __init__(self, **options: Any) -> None:
        self.started: list[str] = []
        self.was_asked = False
        super().__init__(**options)

    def announce(self, kind: str, ahead: float, **fields: Any) -> float:
        event = {
            "EventId": secrets.token_hex(8),
            "EventType": kind,
            "ResourceType": "VirtualMachine",
            "Resources": ["vm_1"],
            "EventStatus": "Scheduled",
            "NotBefore": formatdate(self.now + ahead, usegmt=True),
            "Description": "",
            "EventSource": "Platform",
            "DurationInSeconds": -1,
            **fields,
        }
        return self.change(events=[*self.events, event], incarnation=self.incarnation + 1)

    def answer(self, request: Request) -> Answer:
        if request.headers.get("metadata") != "true":
            return Answer(400, b"Bad Request")
        if request.path == "/metadata/instance/compute":
            return text(json.dumps({"name": "VM_1", "location": "eastus", "zone": "2", "vmSize": "Standard_NC24ads"}))
        if request.path != "/metadata/scheduledevents" or request.query.get("api-version") not in self.versions:
            return Answer(404)
        if request.method == "POST":
            self.started += [start["EventId"] for start in json.loads(request.body)["StartRequests"]]
            return Answer(200)
        if not self.was_asked:
            self.was_asked = True
            with self.changed:
                self.changed.wait_for(lambda: self.is_closing, timeout=self.first_delay)
        return text(json.dumps({"DocumentIncarnation": self.incarnation, "Events": self.events}))


class TerminationTime(MetadataDouble):
    """Alibaba at 100.100.100.200; Tencent's name needs DNS."""

    line: str | None = None

    def answer(self, request: Request) -> Answer:
        if request.path == "/latest/api/token":
            return text("token") if request.method == "PUT" else Answer(405)
        if request.headers.get("x-aliyun-ecs-metadata-token") != "token":
            return Answer(403)
        return text(self.line) if self.line else Answer(404, NOT_FOUND)


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
                    double.changed.wait_for(lambda: not double.trouble.stall, timeout=60)
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
