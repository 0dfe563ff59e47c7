"""A TCP relay with the round-trip time of a distant server, where the kernel cannot delay packets (no netem)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

CHUNK = 1 << 16


class DelayRelay:
    """A context. Bytes pass each way after half of `round_trip` seconds, in order and at any rate.

    The handshake itself is over at once, as it is with every relay; its round trip is paid with the first bytes.
    `edit` changes what the server answers.
    """

    def __init__(self, target: str, round_trip: float, edit: Callable[[bytes], bytes] = bytes) -> None:
        """`target` is the server's URL."""
        self.host, _, port = target.removeprefix("http://").rstrip("/").partition(":")
        self.port = int(port)
        self.round_trip = round_trip
        self.edit = edit
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        self._listening_port = server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._relay, "127.0.0.1", 0, backlog=256)

    async def _end(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.close()
            return
        handshake_ends = self._loop.time() + self.round_trip
        # Cancelled when the relay ends: connections that are kept open for later are no fault.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(
                self._pass(reader, up_writer, bytes, handshake_ends), self._pass(up_reader, writer, self.edit, 0.0)
            )

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        edit: Callable[[bytes], bytes],
        not_before: float,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                due = max(self._loop.time(), not_before) + self.round_trip / 2
                self._loop.call_at(due, self._write, writer, edit(data))
        self._loop.call_at(max(self._loop.time(), not_before) + self.round_trip / 2, writer.close)

    @staticmethod
    def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
        if not writer.is_closing():
            writer.write(data)
