"""Answers like Cloudflare's cache in front of the bucket: the first time MISS, then HIT."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote


class CDN:
    def __init__(self, bucket: Path, caches: bool = True, cut: int = 0) -> None:
        """`cut`: bytes that are missing at the end of each file, as in a cache of an older version."""
        self.requested: list[str] = []
        cdn = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = bucket / unquote(self.path).lstrip("/")
                found = path.is_file()
                content = path.read_bytes() if found else b""
                content = content[: len(content) - cut]
                hit = caches and self.path in cdn.requested
                cdn.requested.append(self.path)
                self.send_response(200 if found else 404)
                self.send_header("cf-cache-status", ("HIT" if hit else "MISS") if caches else "DYNAMIC")
                if hit:
                    self.send_header("Age", "7")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
