"""A control plane that keeps its one assignment back until it is told to hand it out."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

LONGEST_WAIT = 20.0


class Gate:
    def __init__(self, assignment: dict[str, Any]) -> None:
        self.assignment = json.dumps(assignment).encode()
        self.generation = assignment["generation"]
        self.opened = threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                etag = f'"{gate.generation}"'
                if self.headers.get("If-None-Match") == etag:
                    # Nothing newer will come.
                    threading.Event().wait(1)
                    self.answer(304, b"", ETag=etag)
                elif gate.opened.wait(LONGEST_WAIT):
                    self.answer(200, gate.assignment, ETag=etag)
                else:
                    self.answer(404, b"")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.answer(202, b'{"accepted":1,"duplicates":0}')

            def answer(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # Agents hang up in the middle of an answer when they end.
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def open(self) -> None:
        self.opened.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
