"""Between a client and the store: lets through as many bytes as it is told, then holds the line without closing it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading

REQUEST_LINE = re.compile(rb"^(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r$", re.MULTILINE)


class Gate:
    """`held` is set once it has let `limit` bytes of requests through; nothing passes after that."""

    def __init__(self, endpoint: str, limit: int | None = None) -> None:
        self.target = endpoint.removeprefix("http://").split(":")
        self.limit = limit
        self.passed = 0
        self.held = threading.Event()
        self.lock = threading.Lock()
        self.requests: list[str] = []
        self.sockets: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection((self.target[0], int(self.target[1])))
            self.sockets += [client, server]
            threading.Thread(target=self.requests_of, args=(client, server), daemon=True).start()
            threading.Thread(target=self.answers_of, args=(server, client), daemon=True).start()

    def requests_of(self, client: socket.socket, server: socket.socket) -> None:
        try:
            while data := client.recv(1 << 16):
                with self.lock:
                    self.requests += [match[0].decode().strip() for match in REQUEST_LINE.finditer(data)]
                    room = len(data) if self.limit is None else max(0, self.limit - self.passed)
                    self.passed += len(data)
                    server.sendall(data[:room])
                    if room < len(data):
                        self.held.set()
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def answers_of(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while data := server.recv(1 << 16):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        for one in [self.listener, *self.sockets]:
            # Closing alone wakes no thread that waits for it, and the line would stay as it is.
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
