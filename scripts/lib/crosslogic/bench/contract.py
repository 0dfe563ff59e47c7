"""Group `contract`: the agent's word, from the moment it is said to the moment it is taken."""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from crosslogic import killing, procfs
from crosslogic.agent import Agent
from crosslogic.bench.allocations import AllocationCounter
from crosslogic.bench.figures import Figure, figure, quantile
from crosslogic.bench.receiving import EventHandler, Server
from crosslogic.waiting import wait_for

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

EVENTS = 500
KILLS = 1000
# Heartbeats: sent ahead of their answers, as a test of the server, and one after the other, as pollers do it.
PIPELINED, PIPELINED_REQUESTS, REQUESTS, CLIENTS = 64, 400_000, 100_000, 4


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
        self.server.close()


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


def commit(bench: Bench) -> list[Figure]:
    """The other side's part: from a request with one event to the control plane's word that it is on disk."""
    with bench.stack() as stack:
        stack.start_store()
        plane = stack.start_control_plane()
        node, token = plane.create_node()
        bench.note("contract: commits")
        connection = http.client.HTTPConnection(plane.url.removeprefix("http://"))
        samples = [report(connection, node, token, number + 1) for number in range(bench.count(EVENTS))]
        with (stack.folder / "bare").open("wb", buffering=0) as file:
            syncs = [bare_append(file) for _ in samples]
        plane.stop()
    bare = statistics.median(syncs)
    return [
        figure("one event sent to the control plane to its 202, p99", samples, "ms", value=quantile(0.99)),
        figure("the same, median (with: a page appended and synced by itself)", samples, "ms", baseline=bare),
    ]


def report(connection: http.client.HTTPConnection, node: str, token: str, sequence: int) -> float:
    event = {
        "specversion": "1.0", "id": f"bench-{sequence}", "source": f"/nodes/{node}", "sequence": f"{sequence:016d}",
        "type": "io.crosslogic.node.phase.v1", "time": "2026-01-02T03:04:05.678Z",
        "datacontenttype": "application/json",
        "data": {"node_id": node, "generation": 1, "state": "loading", "padding": "x" * 1500},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cloudevents+json"}
    began = time.perf_counter()
    connection.request("POST", f"/api/v1/nodes/{node}/events", json.dumps(event), headers)
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - began
    if answer.status != 202:
        raise RuntimeError(f"the control plane answered {answer.status}")
    return took * 1e3


def bare_append(file: BinaryIO) -> float:
    began = time.perf_counter()
    file.write(b"x" * 4096)
    os.fdatasync(file.fileno())
    return (time.perf_counter() - began) * 1e3


def heartbeat(bench: Bench) -> list[Figure]:
    """Requests that one core of the agent's answers; the client's own cores are not counted."""
    pollers, ahead = bench.count(REQUESTS), bench.count(PIPELINED_REQUESTS)
    with bench.stack() as stack:
        agent = stack.add_agent(stack.simulated_engine(), "node", "token", url="http://127.0.0.1:9")
        agent.start()
        wait_for("a heartbeat", agent.heartbeat, 20, agent.running.why_gone)
        bench.note("contract: heartbeats")
        resident = procfs.memory(agent.running.pid).resident
        polled, took = answered(agent, pollers, 1)
        pipelined, _ = answered(agent, ahead, PIPELINED)
        grown = max(0, procfs.memory(agent.running.pid).resident - resident)
        agent.running.stop(30)
    return [
        figure("heartbeats a second of one core", [polled], "1/s", 20_000, "higher"),
        figure("heartbeats a second as it went, two cores with the clients", [pollers / took], "1/s"),
        figure(f"heartbeats a second of one core, sent {PIPELINED} ahead", [pipelined], "1/s", 20_000, "higher"),
        figure(f"resident memory more after {pollers + ahead} heartbeats", [grown / 2**20], "MiB"),
    ]


def answered(agent: Agent, count: int, ahead: int) -> tuple[float, float]:
    """Requests for each second of processor time, and the seconds it took."""
    clients = [threading.Thread(target=ask, args=(agent, count // CLIENTS, ahead)) for _ in range(CLIENTS)]
    before, began = procfs.cpu_seconds(agent.running.pid), time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    took = time.monotonic() - began
    return count / (procfs.cpu_seconds(agent.running.pid) - before), took


def ask(agent: Agent, count: int, ahead: int) -> None:
    host, port = agent.heartbeat_url.removeprefix("http://").split(":")
    request = b"GET /v1/heartbeat HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection((host, int(port))) as client:
        left = count
        while left > 0:
            round_of = min(ahead, left)
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


def allocations(bench: Bench) -> list[Figure]:
    """How often the agent asks for memory for each heartbeat, connections and all."""
    counted = 20_000
    with bench.stack() as stack:
        counter = AllocationCounter(stack.folder)
        agent = stack.add_agent(stack.simulated_engine(), "node", "token", url="http://127.0.0.1:9")
        agent.process_environment = counter.environment
        agent.start()
        wait_for("a heartbeat", agent.heartbeat, 20, agent.running.why_gone)
        bench.note("contract: allocations")
        samples = []
        for ahead in (1, PIPELINED):
            before = counter.count
            ask(agent, counted, ahead)
            samples.append((counter.count - before) / counted)
        agent.running.stop(30)
    one, many = samples
    return [
        figure("allocations for a heartbeat", [one], "", 10),
        figure(f"allocations for a heartbeat, sent {PIPELINED} ahead", [many], ""),
    ]


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


FIGURES = [latency, commit, heartbeat, allocations, kills]
