"""Group `contract`: the agent's word, from the moment it is said to the moment it is taken."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from crosslogic import killing, procfs
from crosslogic.agent import Agent
from crosslogic.bench.figures import Figure, figure, quantile
from crosslogic.bench.receiving import EventHandler, Server
from crosslogic.waiting import wait_for

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

EVENTS = 500
KILLS = 1000
REQUESTS = 100_000
# Requests that a client has on their way, and how many clients there are.
PIPELINED, CLIENTS = 64, 4


ASSIGNMENT = {
    "model": "acme/tiny",
    "model_uri": "s3://models/acme/tiny",
    "r2": {"endpoint": "http://127.0.0.1:9", "bucket": "models", "access_key_id": "a", "secret_access_key": "b"},
}


class Provoker:
    """Gives a new assignment as soon as the last one was accepted, and notes when it heard of what the agent said."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.generation = 1
        self.latencies: list[float] = []
        provoker = self

        class Handler(EventHandler):
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                known = self.headers.get("If-None-Match", "")
                with provoker.changed:
                    provoker.changed.wait_for(lambda: f'"{provoker.generation}"' != known, timeout=20)
                    generation = provoker.generation
                self.give(200, {**ASSIGNMENT, "generation": generation}, ETag=f'"{generation}"')

            def do_POST(self) -> None:
                events = self.accept_events()
                provoker.take(events, time.clock_gettime_ns(time.CLOCK_BOOTTIME))

        self.server = Server(Handler)
        self.url = self.server.url

    def take(self, events: list[dict[str, dict[str, int]]], now: int) -> None:
        with self.changed:
            self.latencies += [(now - event["data"]["monotonic_ns"]) / 1e6 for event in events]
            self.generation += any("assignment_accepted" in str(event["type"]) for event in events)
            self.changed.notify_all()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def latency(bench: Bench) -> list[Figure]:
    """From the moment of an event to the answer that takes it: written, synced, renamed, sent."""
    wanted = bench.count(EVENTS)
    provoker = Provoker()
    with bench.stack() as stack:
        # Where the packages put it, and not on a file system that syncs to memory.
        state = Path(os.environ.get("CROSSLOGIC_BENCH_STATE", str(Path.cwd() / ".build"))) / "bench-state"
        agent = stack.add_agent(
            stack.simulated_engine(), "node", "token", url=provoker.url, CROSSLOGIC_STATE_DIR=str(state),
            # Nothing is started: what is measured is the word and not the deed.
            CROSSLOGIC_ENGINE="/nowhere/vllm", CROSSLOGIC_PREFLIGHT="off",
        )  # fmt: skip
        agent.start()
        bench.note("contract: events, one after the other")
        wait_for("events", lambda: len(provoker.latencies) >= wanted, 120, agent.running.why_gone)
        agent.running.stop(30)
        syncs = [bare_sync(state) for _ in range(wanted)]
    provoker.close()
    samples = provoker.latencies[1:wanted]
    return [
        figure("event created to acknowledged, p99", samples, "ms", 5, value=quantile(0.99)),
        figure("the same, median", samples, "ms"),
        figure("write, sync, rename and sync of the folder by themselves, p99", syncs, "ms", value=quantile(0.99)),
        figure("the same, median", syncs, "ms"),
    ]


def bare_sync(folder: Path) -> float:
    began = time.perf_counter()
    temporary = folder / ".bench-tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(descriptor, b"x" * 2000)
    os.fsync(descriptor)
    os.close(descriptor)
    temporary.rename(folder / "bench")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)
    return (time.perf_counter() - began) * 1e3


def heartbeat(bench: Bench) -> list[Figure]:
    """Requests that one core of the agent's answers; the client's own cores are not counted."""
    wanted = bench.count(REQUESTS)
    with bench.stack() as stack:
        agent = stack.add_agent(stack.simulated_engine(), "node", "token", url="http://127.0.0.1:9")
        agent.start()
        wait_for("a heartbeat", agent.heartbeat, 20, agent.running.why_gone)
        bench.note("contract: heartbeats")
        before = procfs.cpu_seconds(agent.running.pid)
        resident = procfs.memory(agent.running.pid).resident
        clients = [threading.Thread(target=ask, args=(agent, wanted // CLIENTS)) for _ in range(CLIENTS)]
        began = time.monotonic()
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        took = time.monotonic() - began
        used = procfs.cpu_seconds(agent.running.pid) - before
        grown = max(0, procfs.memory(agent.running.pid).resident - resident)
        agent.running.stop(30)
    return [
        figure("heartbeats a second of one core", [wanted / used], "1/s", 20_000, "higher"),
        figure("heartbeats a second as it went", [wanted / took], "1/s"),
        figure(f"resident memory more after {wanted} heartbeats", [grown / 2**20], "MiB"),
    ]


def ask(agent: Agent, count: int) -> None:
    host, port = agent.heartbeat_url.removeprefix("http://").split(":")
    request = b"GET /v1/heartbeat HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection((host, int(port))) as client:
        left = count
        while left > 0:
            round_of = min(PIPELINED, left)
            client.sendall(request * round_of)
            answered = 0
            rest = b""
            while answered < round_of:
                chunk = client.recv(1 << 20)
                if not chunk:
                    raise ConnectionError(f"the agent hung up with {left} requests left")
                rest += chunk
                answered += rest.count(b"HTTP/1.1 200 ")
                # An answer's first line may lie across two reads.
                rest = rest[-12:] if b"HTTP/1.1 200 " not in rest[-13:] else b""
            left -= round_of


def kills(bench: Bench) -> list[Figure]:
    """Of agent and control plane, at random moments of a busy run."""
    with bench.stack() as stack:
        stack.start_store()
        bench.note("contract: kills")
        account = killing.run(stack, bench.count(KILLS))
    total = sum(account.kills.values())
    return [
        figure(f"events lost in {total} kills (of {account.events})", [len(account.lost)], "", 0),
        figure(f"events applied twice in {total} kills", [len(account.twice)], "", 0),
        figure(f"events out of order in {total} kills", [account.out_of_order], "", 0),
    ]


FIGURES = [latency, heartbeat, kills]
