"""A control plane that behaves as badly as a test wants, and writes down what it is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

from crosslogic.waiting import wait_for


@dataclass(frozen=True)
class Asked:
    at: float
    method: str
    path: str
    token: str | None
    connection: int
    """The client's port."""
    carried: str = ""
    """The id of the first event in it."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """Clients that hang up in the middle of a poll are part of the play."""


class ScriptedControlPlane:
    """`mood` decides over every answer: `well`, `slow`, `error`, `unauthorized`, `html`, `half`, `raw` (whatever `raw`
    writes) or `gone` (revoked; events are still taken)."""

    def __init__(self, mood: str = "well", port: int = 0) -> None:
        self.mood = mood
        self.raw: Callable[[BinaryIO], None] | None = None
        self.raw_events: Callable[[BinaryIO], None] | None = None
        """Answers events, whatever the mood."""
        self.asked: list[Asked] = []
        self.events: list[dict[str, Any]] = []
        self.assignment: dict[str, Any] | None = None
        self.heartbeat_interval: int | None = None
        """Seconds between the heartbeats that are asked for; also what the answers to them say."""
        self.changed = threading.Condition()
        self.server = QuietServer(("127.0.0.1", port), handler_of(self))
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def assign(self, **assignment: Any) -> None:
        with self.changed:
            self.assignment = assignment
            self.changed.notify_all()

    def revoke(self) -> None:
        self.be("gone")

    def be(self, mood: str) -> None:
        with self.changed:
            self.mood = mood
            self.changed.notify_all()

    def take(self, events: list[dict[str, Any]]) -> None:
        self.events += events

    def events_of(self, name: str) -> list[dict[str, Any]]:
        """Each once: they come at least once, and a receiver drops an id that it has seen."""
        with self.changed:
            found = [event for event in self.events if event["type"] == f"io.crosslogic.node.{name}.v1"]
        return list({event["id"]: event for event in found}.values())

    def wait_for_event(self, name: str, seconds: float, after: int = 0) -> dict[str, Any]:
        """The first event of that name beyond the first `after` ones."""
        return wait_for(f"event {name}", lambda: self.events_of(name)[after:], seconds)[0]

    def close(self) -> None:
        self.be("well")
        self.server.shutdown()
        self.server.server_close()


def etag_of(assignment: dict[str, Any]) -> str:
    """Says more than the generation where the document does."""
    end = f"-{assignment['end']['at']}" if "end" in assignment else ""
    return f'"{assignment["generation"]}{end}"'


def handler_of(plane: ScriptedControlPlane) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            self.note()
            if plane.mood != "well":
                self.misbehave()
            else:
                self.give_assignment()

        def do_POST(self) -> None:
            events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            events = events if isinstance(events, list) else [events]
            self.note(events[0]["id"])
            if plane.raw_events:
                plane.raw_events(self.wfile)
                self.close_connection = True
                return
            if plane.mood not in {"well", "gone"}:
                self.misbehave()
                return
            with plane.changed:
                plane.take(events)
                plane.changed.notify_all()
            if "batch" in self.headers["Content-Type"]:
                self.answer(200, {"results": [{"id": event["id"], "status": 202} for event in events]})
            else:
                self.answer(202, {"accepted": len(events), "duplicates": 0})

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.note()
            self.answer(200, {"next_in_s": plane.heartbeat_interval or 1})

        def do_OPTIONS(self) -> None:
            self.note()
            if plane.mood in {"well", "gone"}:
                self.send(204, b"", "text/plain")
            else:
                self.misbehave()

        def note(self, carried: str = "") -> None:
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ") or None
            with plane.changed:
                plane.asked.append(
                    Asked(time.monotonic(), self.command, self.path, token, self.client_address[1], carried)
                )

        def give_assignment(self) -> None:
            known = self.headers.get("If-None-Match")

            def is_new() -> bool:
                return plane.mood != "well" or (plane.assignment is not None and etag_of(plane.assignment) != known)

            with plane.changed:
                plane.changed.wait_for(is_new, timeout=self.seconds_to_hold())
                assignment = plane.assignment
            wish = {"CrossLogic-Heartbeat-Interval": str(plane.heartbeat_interval)} if plane.heartbeat_interval else {}
            if assignment is None:
                self.answer(404, {"type": "about:blank", "title": "No assignment yet", "status": 404}, **wish)
            elif etag_of(assignment) == known:
                self.answer(304, None, **wish)
            else:
                self.answer(200, assignment, ETag=etag_of(assignment), **wish)

        def seconds_to_hold(self) -> float:
            """As asked for; capped, so that a closing server is not held up by a long poll."""
            asked = parse_qs(urlsplit(self.path).query).get("wait", ["0"])
            return min(5.0, float(asked[0]))

        def misbehave(self) -> None:
            if plane.mood == "slow":
                with plane.changed:
                    plane.changed.wait_for(lambda: plane.mood != "slow", timeout=60)
                self.close_connection = True
            elif plane.mood == "error":
                self.answer(500, {"type": "about:blank", "title": "Internal Server Error", "status": 500})
            elif plane.mood == "unauthorized":
                self.answer(401, {"type": "about:blank", "title": "Unauthorized", "status": 401})
            elif plane.mood == "gone":
                self.answer(410, {"type": "about:blank", "title": "Revoked", "status": 410})
            elif plane.mood == "html":
                self.send(200, b"<html><body>Welcome to the hotel network</body></html>", "text/html")
            elif plane.mood == "raw" and plane.raw:
                plane.raw(self.wfile)
                self.close_connection = True
            elif plane.mood == "half":
                self.send(200, b'{"generation": 1, "model": "ac', "application/json", length=4000)

        def answer(self, status: int, body: Any, **headers: str) -> None:
            content = b"" if body is None else json.dumps(body).encode()
            self.send(status, content, "application/json", **headers)

        def send(
            self, status: int, content: bytes, content_type: str, length: int | None = None, **headers: str
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content) if length is None else length))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            if length is not None:
                self.close_connection = True

    return Handler
