"""A long way to the store, in a process: delays both directions and gives each connection its own rate.

`python -m crosslogic.bench.link SOCKET RTT_S BYTES_PER_S`: listens on 127.0.0.1, prints the port, forwards to the Unix
socket. The kernel here has no netem; the rate of all connections together is tbf's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

READ = 32 << 10
# How far a connection may run ahead of its rate before it is read no more.
AHEAD_S = 0.05


class Link:
    def __init__(self, target: str, rtt: float, rate: float) -> None:
        self.target = target
        self.rtt = rtt
        self.rate = rate

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The handshake that loopback did not take.
        await asyncio.sleep(self.rtt)
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_unix_connection(self.target)
            await asyncio.gather(
                self.pump(reader, far_writer, rate=None), self.pump(far_reader, writer, rate=self.rate)
            )
        writer.close()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float | None) -> None:
        clock = asyncio.get_running_loop().time
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        sender = asyncio.create_task(self.send(queue, writer))
        free = clock()
        with contextlib.suppress(OSError):
            while data := await reader.read(READ):
                now = clock()
                free = max(free, now) + (len(data) / rate if rate else 0)
                queue.put_nowait((free + self.rtt / 2, data))
                if free - now > AHEAD_S:
                    await asyncio.sleep(free - now - AHEAD_S)
        queue.put_nowait((free + self.rtt / 2, b""))
        await sender

    async def send(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(OSError):
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - clock()))
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        writer.close()


async def main(target: str, rtt: str, rate: str) -> None:
    link = Link(target, float(rtt), float(rate))
    server = await asyncio.start_server(link.connect, "127.0.0.1", 0, backlog=1024)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
