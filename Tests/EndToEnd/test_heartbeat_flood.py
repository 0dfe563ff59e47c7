"""Whoever can reach the heartbeat can waste its time, and must not be able to waste the agent's."""

from __future__ import annotations

import resource
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from crosslogic import http, procfs
from crosslogic.agent import Agent
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import StartAgent, assignment, wait_for_state

CONNECTIONS = 10_000
SPARE = 400
# What the server holds at one time, and what else an agent has open.
AT_MOST_OPEN = 256 + 100
MEGABYTE = 1 << 20
# A health check whose first packet finds the kernel's queue full sends it again after a second.
ANSWERED_WITHIN = 8.0

GET = b"GET /v1/heartbeat HTTP/1.1\r\nHost: localhost\r\n\r\n"
BEGINNINGS = {
    "silent": b"",
    "half a header": b"GET /v1/heartbeat HTTP/1.1\r\nHost: loc",
    "a huge header": b"GET /v1/heartbeat HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 16_000,
    "answered once": GET,
    "pipelined and never read": GET * 200,
}


@pytest.fixture
def many_descriptors() -> Iterator[int]:
    """How many connections this process may hold; its limit is the hard one meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield min(CONNECTIONS, hard - SPARE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_ten_thousand_connections_starve_nobody(
    plane: ScriptedControlPlane, stack: Stack, start_agent: StartAgent, many_descriptors: int, beginning: str
) -> None:
    agent = start_agent(plane.url)
    # Less than a unit of systemd's has, and far less than there will be connections.
    subprocess.run(["prlimit", "--pid", str(agent.running.pid), "--nofile=400:400"], check=True)
    wait_for("a heartbeat", lambda: http.try_get(agent.heartbeat_url + "/healthz"), 20, agent.running.why_gone)
    before = procfs.memory(agent.running.pid).resident
    with crowd(agent, many_descriptors, BEGINNINGS[beginning]) as held:
        assert held == many_descriptors
        assert slowest_of(agent, 20) < ANSWERED_WITHIN
        assert open_descriptors(agent) <= AT_MOST_OPEN
        assert procfs.memory(agent.running.pid).resident - before < 16 * MEGABYTE
        # Its own connections, files and children are not in want of anything.
        plane.assign(**assignment(stack))
        wait_for_state(agent, "serving")
        assert not plane.events_of("failed")
    assert "Too many open files" not in agent.log.read_text()


def test_requests_without_end_leave_time_for_others(plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    agent = start_agent(plane.url)
    over = threading.Event()
    streams = [threading.Thread(target=ask_without_end, args=(agent, over)) for _ in range(8)]
    for stream in streams:
        stream.start()
    try:
        assert slowest_of(agent, 50) < ANSWERED_WITHIN
    finally:
        over.set()
        for stream in streams:
            stream.join()


@contextmanager
def crowd(agent: Agent, count: int, beginning: bytes) -> Iterator[int]:
    """So many connections that have said this, and will say no more; none is closed from our end."""
    with ExitStack() as stack:
        held = 0
        for _ in range(count):
            client = stack.enter_context(closing(connect(agent)))
            # It may have had to make room already.
            with_reset_ignored(client, beginning)
            held += 1
        yield held


def with_reset_ignored(client: socket.socket, said: bytes) -> None:
    try:
        client.send(said)
    except OSError:
        return


def connect(agent: Agent) -> socket.socket:
    host, port = agent.heartbeat_url.removeprefix("http://").split(":")
    client = socket.create_connection((host, int(port)), timeout=10)
    client.setblocking(False)
    return client


def slowest_of(agent: Agent, count: int) -> float:
    """Seconds, of health checks that each come over a connection of their own."""
    took = []
    for _ in range(count):
        began = time.monotonic()
        assert http.call("GET", agent.heartbeat_url + "/healthz").status == 200
        took.append(time.monotonic() - began)
    return max(took)


def ask_without_end(agent: Agent, over: threading.Event) -> None:
    host, port = agent.heartbeat_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        while not over.is_set():
            client.sendall(GET * 64)
            client.recv(1 << 20)


def open_descriptors(agent: Agent) -> int:
    return len(list(Path(f"/proc/{agent.running.pid}/fd").iterdir()))
