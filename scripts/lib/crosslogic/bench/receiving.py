"""What control planes that only measure have in common: HTTP, and events one by one or in batches."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # All agents connect at once; a full queue would cost them a second each.
    request_queue_size = 128

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        # An agent that ends resets what it still holds.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class EventHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_OPTIONS(self) -> None:
        self.give(200)

    def accept_events(self) -> list[dict[str, Any]]:
        """All that came, once its acknowledgement is on its way."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        events = body if isinstance(body, list) else [body]
        results = [{"id": event["id"], "status": 202} for event in events]
        self.give(200 if isinstance(body, list) else 202, {"results": results})
        return events

    def give(self, status: int, body: dict[str, Any] | None = None, **headers: str) -> None:
        content = json.dumps({} if body is None else body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        # A 304 has no body (RFC 9110), and what it would be is not said.
        if status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if status != 304:
            self.wfile.write(content)
        self.wfile.flush()
