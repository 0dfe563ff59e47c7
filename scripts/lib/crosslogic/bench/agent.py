"""Group `agent`: what the agent adds to a start, and what it costs while the engine loads."""

from __future__ import annotations

import dataclasses
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosslogic import engine as engines
from crosslogic import http, procfs, swift
from crosslogic.bench.figures import Figure, figure, quantile
from crosslogic.control_plane import write_env_file
from crosslogic.engine import Engine
from crosslogic.model import MODEL
from crosslogic.part import Part
from crosslogic.ports import free_port
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack, prepare_engine
from crosslogic.waiting import wait_for

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

SIMULATED_SPEED = 40.0
MEGABYTE = 1 << 20

# How long the load is looked at, at most; a simulated one is replayed at its real pace for this.
LOOK_EVERY = 0.25


def first_request(bench: Bench) -> list[Figure]:
    """Agent's exec to the first byte at whoever stands where the control plane should be."""
    samples = []
    with bench.stack() as stack:
        for number in range(bench.count(40)):
            bench.note("agent: exec to first request on the wire")
            # A listener for each: an agent opens more than one connection, and only its first is meant.
            with socket.create_server(("127.0.0.1", 0)) as listener:
                listener.settimeout(10)
                env_file = settings_for_nothing(stack.folder / f"agent-{number}", listener.getsockname()[1])
                samples.append(exec_to_first_byte(stack, env_file, listener))
    return [figure("agent exec to first request on the wire", samples, "ms", goal=15)]


def settings_for_nothing(folder: Path, port: int) -> Path:
    """An env-file for an agent that will get no further than asking for its assignment."""
    folder.mkdir()
    env_file = folder / "node-agent.env"
    directories = {f"CROSSLOGIC_{name}_DIR": str(folder / name.lower()) for name in ("STATE", "RUNTIME", "CACHE")}
    write_env_file(
        env_file,
        {
            "CROSSLOGIC_CONTROL_PLANE_URL": f"http://127.0.0.1:{port}",
            "CROSSLOGIC_NODE_ID": "node-bench",
            "CROSSLOGIC_NODE_TOKEN": "token",
            "CROSSLOGIC_ENGINE": "/bin/false",
            "CROSSLOGIC_HEARTBEAT_LISTEN": "127.0.0.1:0",
            "CROSSLOGIC_ENGINE_PORT": str(free_port()),
            "CROSSLOGIC_ENGINE_LOG": str(folder / "vllm.log"),
            **directories,
        },
    )
    return env_file


def exec_to_first_byte(stack: Stack, env_file: Path, listener: socket.socket) -> float:
    """Milliseconds. Fork and exec are inside: the clock is read before them."""
    with (stack.folder / "agent.log").open("ab") as log:
        started = time.monotonic()
        process = subprocess.Popen(
            [stack.binaries / swift.AGENT, "run", "--env-file", env_file, "--engine-host", "child"],
            stdout=log,
            stderr=log,
        )
        try:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                return (time.monotonic() - started) * 1000
        finally:
            process.kill()
            process.wait()


def decisions(bench: Bench) -> list[Figure]:
    """What lies between knowing and doing, over many starts: the stand-in replays a real start, faster."""
    to_exec, to_ready, canary = [], [], []
    with bench.stack() as stack:
        stack.start_store()
        stack.start_control_plane()
        engine = stack.simulated_engine(SIMULATED_SPEED)
        runs = bench.count(100)
        for number in range(runs):
            bench.note(f"agent: start to READY, simulated engine, run {number + 1} of {runs}")
            timings = timings_of_one_start(stack, engine)
            to_exec.append(timings["assignment_to_exec_s"] * 1000)
            canary.append(timings["canary_s"] * 1000)
            to_ready.append((timings["health_to_ready_s"] - timings["canary_s"]) * 1000)
    return [
        figure("assignment received to engine exec, p99", to_exec, "ms", goal=20, value=quantile(0.99)),
        figure("assignment received to engine exec, median", to_exec, "ms"),
        figure("/health 200 to READY sent, without the canary", to_ready, "ms", goal=100),
        figure("the canary: one token from the stand-in", canary, "ms"),
    ]


def timings_of_one_start(stack: Stack, engine: Engine) -> dict[str, float]:
    node, token = stack.control_plane.create_node()
    # What the store takes to answer is the group `preflight`'s.
    agent = stack.add_agent(engine, node, token, CROSSLOGIC_PREFLIGHT="off")
    agent.start()
    try:
        wait_until_serving(agent.heartbeat_url, engine.start_seconds, agent.running.why_gone)
        return agent.timeline()["timings"]
    finally:
        agent.running.stop(60)
        agent.close()


def wait_until_serving(url: str, seconds: float, hopeless: Callable[[], str | None]) -> None:
    def serves() -> bool:
        answer = http.try_get(url + "/readyz")
        return answer is not None and answer.status == 200

    wait_for("the model serves", serves, seconds, hopeless)


def costs(bench: Bench) -> list[Figure]:
    """CPU time and memory of the agent from the engine's exec until the model serves."""
    shares, private, unique, resident = [], [], [], []
    with bench.stack() as stack:
        stack.start_store()
        stack.start_control_plane()
        engine = prepare_engine(bench.engine, stack, bench.console)
        runs = bench.count(3)
        for number in range(runs):
            bench.note(f"agent: costs while the {bench.engine} engine loads, run {number + 1} of {runs}")
            share, memory = costs_of_one_start(stack, engine)
            shares.append(share * 100)
            private.append(memory.private / MEGABYTE)
            unique.append(memory.unique / MEGABYTE)
            resident.append(memory.resident / MEGABYTE)
    return [
        figure("agent while the engine loads: CPU of one core", shares, "%", goal=1),
        figure("agent while the engine loads: private memory, highest", private, "MB", goal=8),
        figure("agent while the engine loads: private and its own program's pages, highest", unique, "MB"),
        figure("agent while the engine loads: resident memory, highest", resident, "MB", goal=30),
    ]


def costs_of_one_start(stack: Stack, engine: Engine) -> tuple[float, procfs.Memory]:
    node, token = stack.control_plane.create_node()
    agent = stack.add_agent(engine, node, token)
    agent.start()
    pid = agent.running.pid
    samples: list[procfs.Memory] = []
    try:
        wait_for("engine exec", lambda: "engine_exec" in phases(agent.timeline()), 20, agent.running.why_gone)
        cpu, began = procfs.cpu_seconds(pid), time.monotonic()
        next_look = began

        # Looking costs the agent CPU time as well: its cost is inside, a few looks a second.
        def serves() -> bool:
            nonlocal next_look
            if time.monotonic() < next_look:
                return False
            next_look += LOOK_EVERY
            samples.append(procfs.memory(pid))
            return agent.notify is not None and agent.notify.first("READY", "1") is not None

        wait_for("READY=1", serves, engine.start_seconds, agent.running.why_gone)
        share = (procfs.cpu_seconds(pid) - cpu) / (time.monotonic() - began)
    finally:
        agent.running.stop(60)
        agent.close()
    names = [field.name for field in dataclasses.fields(procfs.Memory)]
    highest = procfs.Memory(*(max(getattr(sample, name) for sample in samples) for name in names))
    return share, highest


def phases(timeline: dict[str, Any]) -> list[str]:
    return [mark["phase"] for mark in timeline["timeline"]]


def ready(bench: Bench) -> list[Figure]:
    """The demo's start against `vllm serve` typed by hand, turn by turn on the same machine."""
    with_agent, plain = [], []
    with bench.stack() as stack:
        stack.start_store()
        stack.start_control_plane()
        engine = prepare_engine(bench.engine, stack, bench.console)
        runs = bench.count(3)
        # A first start fills caches and reads 2 GB from the disk: neither side's fault.
        plain_start(stack, engine, 0)
        agent_start(stack, engine)
        for number in range(1, runs + 1):
            bench.note(f"agent: ready against plain vLLM, run {number} of {runs}")
            plain.append(plain_start(stack, engine, number))
            with_agent.append(agent_start(stack, engine))
    baseline = statistics.median(plain)
    differences = [ours - theirs for ours, theirs in zip(with_agent, plain, strict=True)]
    return [
        figure("agent exec to READY", with_agent, "s", baseline=baseline),
        figure("agent exec to READY, over plain `vllm serve`", differences, "s", goal=1, baseline=0),
    ]


def agent_start(stack: Stack, engine: Engine) -> float:
    node, token = stack.control_plane.create_node()
    # What the store takes to answer is the group `preflight`'s.
    agent = stack.add_agent(engine, node, token, CROSSLOGIC_PREFLIGHT="off")
    agent.start()
    try:
        wait_until_serving(agent.heartbeat_url, engine.start_seconds, agent.running.why_gone)
        assert agent.notify
        return agent.notify.wait_for("READY", "1", 10).boot_time - agent.running.exec_boot_time
    finally:
        agent.running.stop(60)
        agent.close()


def plain_start(stack: Stack, engine: Engine, number: int) -> float:
    """Exec until the first token: what READY means, too."""
    store, port = stack.store, free_port()
    cache = engines.cache_folder() if engine.is_real else stack.folder
    environment = engines.plain_environment(engine, store.endpoint, store.access_key, store.secret_key, cache)
    command = engines.plain_command(engine, port, MODEL, BUCKET)
    part = Part("plain vLLM", command, stack.folder / f"plain-{number}.log", environment)
    url = f"http://127.0.0.1:{port}"
    request = {"model": MODEL, "prompt": "Hello", "max_tokens": 1, "temperature": 0}
    try:
        wait_for("/health 200", lambda: http.try_get(url + "/health"), engine.start_seconds, part.why_gone)
        answer = http.call("POST", url + "/v1/completions", request, seconds=60)
        if answer.status != 200:
            raise RuntimeError(f"plain vLLM answered {answer.status}: {answer.text}")
        return time.monotonic() - part.started
    finally:
        part.send(signal.SIGTERM)
        part.wait(60)


FIGURES = [first_request, decisions, costs, ready]
