"""Part of the group `start`: carried caches, read-ahead and other savings. The real engine only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from crosslogic import engine as engines
from crosslogic import http, install, procfs, swift
from crosslogic.bench import warm
from crosslogic.bench.figures import Figure, figure
from crosslogic.engine import Engine
from crosslogic.model import MODEL
from crosslogic.part import Part
from crosslogic.ports import free_port
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for

if TYPE_CHECKING:
    from crosslogic.agent import Agent
    from crosslogic.bench.__main__ import Bench

SIGNING_KEY = "bench-bench-bench-bench-bench-bench"
SETTLED = 120


def carried_caches(bench: Bench) -> list[Figure]:
    """A node with torch.compile on an empty disk, then another one that finds in the store what the first has made."""
    first, second, cpu = [], [], []
    with bench.stack() as stack:
        stack.start_store()
        stack.start_control_plane()
        engine = warm.compiling(engines.real(install.ensure_engine(bench.console)))
        runs = bench.count(3)
        for number in range(1, runs + 1):
            bench.note(f"start: first node, run {number} of {runs}")
            first.append(node_start(stack, engine, f"caches-{number}", r"bytes are in the store", cpu))
            bench.note(f"start: second node, run {number} of {runs}")
            second.append(node_start(stack, engine, f"caches-{number}", r"carried caches were used", cpu))
    ratios = [ours / theirs for ours, theirs in zip(first, second, strict=True)]
    return [
        figure("first node over second with carried caches, torch.compile", ratios, "x", goal=1.5, better="higher"),
        figure("assignment to ready, second node with carried caches", second, "s"),
        figure("assignment to ready, first node", first, "s"),
        figure("CPU time of the agent from its exec to ready", cpu, "s"),
    ]


def node_start(stack: Stack, engine: Engine, prefix: str, says: str, cpu: list[float]) -> float:
    """Raises where the agent does not say of its caches what it should."""
    cache = stack.folder / "node-cache"
    shutil.rmtree(cache, ignore_errors=True)
    agent = new_agent(
        stack,
        engine,
        CROSSLOGIC_CACHE_DIR=str(cache),
        CROSSLOGIC_CACHE_URI=f"s3://{BUCKET}/{prefix}",
        CROSSLOGIC_CACHE_SIGNING_KEY=SIGNING_KEY,
    )
    try:
        seconds = ready_after(agent, engine)
        cpu.append(procfs.cpu_seconds(agent.running.pid))
        agent.running.wait_for_line(says, SETTLED)
        return seconds
    finally:
        agent.running.stop(60)
        agent.close()


def new_agent(stack: Stack, engine: Engine, **settings: str) -> Agent:
    node, token = stack.control_plane.create_node()
    agent = stack.add_agent(engine, node, token, **settings)
    agent.start()
    return agent


def ready_after(agent: Agent, engine: Engine) -> float:
    def serves() -> bool:
        answer = http.try_get(agent.heartbeat_url + "/readyz")
        return answer is not None and answer.status == 200

    wait_for("the model serves", serves, engine.start_seconds, agent.running.why_gone)
    return agent.timeline()["timings"]["assignment_to_ready_s"]


def read_ahead(bench: Bench) -> list[Figure]:
    """Plain `vllm serve` with its program files out of the page cache: by itself, and behind a read-ahead that had the
    time a boot takes. Files that another program has mapped stay in."""
    alone, behind = [], []
    with bench.stack() as stack:
        stack.start_store()
        folder = install.ensure_engine(bench.console)
        engine = engines.real(folder)
        plan = stack.folder / "plan"
        drop_from_memory(folder)
        start_seconds(stack, engine)
        ahead(bench.binaries, engine, plan, "--record").wait()
        runs = bench.count(2)
        for number in range(1, runs + 1):
            bench.note(f"start: cold page cache, run {number} of {runs}")
            drop_from_memory(folder)
            alone.append(start_seconds(stack, engine))
            drop_from_memory(folder)
            ahead(bench.binaries, engine, plan).wait()
            behind.append(start_seconds(stack, engine))
    return [
        figure(
            "start with a cold page cache over one behind a read-ahead", ratios(alone, behind), "x", better="higher"
        ),
        figure("start with a cold page cache", alone, "s"),
        figure("the same behind a read-ahead", behind, "s"),
    ]


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def ahead(binaries: Path, engine: Engine, plan: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [binaries / swift.AGENT, "read-ahead", "--engine", engine.executable, "--plan", plan, *options]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def drop_from_memory(folder: Path) -> None:
    """Without touching what others have in memory, as dropping all caches would."""
    for path in files_below(folder):
        drop_file_from_memory(path)


def drop_file_from_memory(path: Path) -> None:
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def files_below(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            if path.is_file() and not path.is_symlink():
                yield path


def start_seconds(stack: Stack, engine: Engine, **environment: str) -> float:
    """Exec to /health 200 of an engine started by hand."""
    store, port = stack.store, free_port()
    variables = engines.plain_environment(
        engine, store.endpoint, store.access_key, store.secret_key, engines.cache_folder()
    )
    log = stack.folder / f"plain-{port}.log"
    part = Part("plain vLLM", engines.plain_command(engine, port, MODEL, BUCKET), log, {**variables, **environment})
    try:
        url = f"http://127.0.0.1:{port}/health"
        wait_for("/health 200", lambda: http.try_get(url), engine.start_seconds, part.why_gone)
        return time.monotonic() - part.started
    finally:
        part.send(signal.SIGTERM)
        part.wait(60)


WITHOUT = {
    "the logo off": {"VLLM_DISABLE_LOG_LOGO": "0"},
    "the offline switches": {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0"},
}
"""What every start has by itself, and how it is without."""
NO_PLUGINS = {"VLLM_PLUGINS": ""}


def switches(bench: Bench) -> list[Figure]:
    """Plain starts as the agent makes them, without one of its switches, and with `no_plugins`, turn by turn."""
    usual: list[float] = []
    without: dict[str, list[float]] = {name: [] for name in WITHOUT}
    unplugged: list[float] = []
    with bench.stack() as stack:
        stack.start_store()
        engine = engines.real(install.ensure_engine(bench.console))
        start_seconds(stack, engine, VLLM_DISABLE_LOG_LOGO="1")
        runs = bench.count(3)
        for number in range(1, runs + 1):
            bench.note(f"start: with and without each switch, run {number} of {runs}")
            usual.append(start_seconds(stack, engine, VLLM_DISABLE_LOG_LOGO="1"))
            for name, variables in WITHOUT.items():
                without[name].append(start_seconds(stack, engine, **{"VLLM_DISABLE_LOG_LOGO": "1", **variables}))
            unplugged.append(start_seconds(stack, engine, VLLM_DISABLE_LOG_LOGO="1", **NO_PLUGINS))
    saved = {name: differences(seconds, usual) for name, seconds in without.items()}
    saved["not searching for plugins"] = differences(usual, unplugged)
    return [figure(f"seconds saved by {name}", seconds, "s", better="higher") for name, seconds in saved.items()]


def differences(ours: list[float], theirs: list[float]) -> list[float]:
    return [a - b for a, b in zip(ours, theirs, strict=True)]


def inductor_cache(bench: Bench) -> list[Figure]:
    """Starts with torch.compile on a node that has started before, with and without `inductor_cache`, turn by turn."""
    seconds: dict[str, list[float]] = {"inductor_cache": [], "-inductor_cache": []}
    with bench.stack() as stack:
        stack.start_store()
        engine = warm.compiling(engines.real(install.ensure_engine(bench.console)))

        def start(wish: str) -> float:
            wishes = {"CROSSLOGIC_START_SAVINGS": wish, "CROSSLOGIC_CACHE_DIR": str(stack.folder / f"cache{wish}")}
            return warm.one_start(stack, engine, warm.PLAIN, **wishes).seconds

        for wish in seconds:
            bench.note(f"start: torch.compile, {wish}, before it counts")
            start(wish)
        runs = bench.count(3)
        for number in range(1, runs + 1):
            for wish, found in seconds.items():
                bench.note(f"start: torch.compile, {wish}, run {number} of {runs}")
                found.append(start(wish))
    gains = ratios(seconds["-inductor_cache"], seconds["inductor_cache"])
    return [
        figure("torch.compile start without inductor_cache over one with it", gains, "x", goal=1.0, better="higher"),
        *(figure(f"torch.compile start, {wish}", found, "s") for wish, found in seconds.items()),
    ]


FIGURES = [carried_caches, read_ahead, switches, inductor_cache]
