"""Starts in each mode of the engine launcher, for the group `start`."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosslogic import engine as engines
from crosslogic import http, procfs
from crosslogic.agent import Agent
from crosslogic.bench.agent import wait_until_serving
from crosslogic.bench.figures import Figure, figure
from crosslogic.bench.gate import Gate
from crosslogic.engine import Engine
from crosslogic.launchable import LAUNCHER
from crosslogic.model import MODEL
from crosslogic.s3 import BUCKET
from crosslogic.waiting import wait_for

if TYPE_CHECKING:
    from crosslogic.stack import Stack

PARKS_WITHIN = 240
LOOK_EVERY = 1.0


@dataclass
class Start:
    """One that has come to READY."""

    seconds: float
    """From the exec, or the go, to the first token."""
    phases: dict[str, float]
    unattributed: float
    memory: Memory | None


@dataclass
class Memory:
    """Of what waits, in bytes."""

    resident: int
    proportional: int
    processes: int


@dataclass
class Launch:
    """An agent whose engine is started in a mode, and the assignment it does not have yet."""

    agent: Agent
    gate: Gate

    def park(self) -> Memory | None:
        """Once all that will wait has imported what it wants: nothing of it uses the processor any more."""
        pids = wait_for("an engine that waits", lambda: waiting(self.agent), PARKS_WITHIN, self.agent.running.why_gone)
        last, next_look = -1.0, 0.0

        def is_still() -> bool:
            nonlocal pids, last, next_look
            if time.monotonic() < next_look:
                return False
            next_look = time.monotonic() + LOOK_EVERY
            pids = waiting(self.agent)
            used = sum(procfs.cpu_seconds(pid) for pid in pids)
            still = len(pids) > 1 and used - last < 0.02
            last = used
            return still

        wait_for("it has imported all", is_still, PARKS_WITHIN, self.agent.running.why_gone)
        sizes = [rollup(pid) for pid in pids]
        return Memory(sum(size["Rss"] for size in sizes), sum(size["Pss"] for size in sizes), len(pids))

    def serve(self, seconds: float, memory: Memory | None = None) -> Start:
        self.gate.open()
        wait_until_serving(self.agent.heartbeat_url, seconds, self.agent.running.why_gone)
        beat = self.agent.heartbeat()
        phases: dict[str, float] = {}
        for span in beat["phases"]:
            phases[span["name"]] = phases.get(span["name"], 0.0) + span["seconds"]
        return Start(beat["timings"]["exec_to_ready_s"], phases, beat["unattributed_s"], memory)


@contextlib.contextmanager
def launch(stack: Stack, engine: Engine, mode: str, **settings: str) -> Iterator[Launch]:
    store = stack.store
    assignment = {
        "generation": 1,
        "model": MODEL,
        "model_uri": f"s3://{BUCKET}/{MODEL}",
        "r2": {
            "endpoint": store.endpoint,
            "bucket": BUCKET,
            "access_key_id": store.access_key,
            "secret_access_key": store.secret_key,
        },
    }
    with Gate(assignment) as gate:
        # What the store takes to answer is the group `preflight`'s.
        chosen = {"CROSSLOGIC_ENGINE_START": mode, "CROSSLOGIC_ENGINE_LAUNCHER": str(LAUNCHER)}
        chosen |= {"CROSSLOGIC_PREFLIGHT": "off", **settings}
        agent = stack.add_agent(engine, "node-bench", "token", url=gate.url, **chosen)
        agent.start()
        try:
            yield Launch(agent, gate)
        finally:
            agent.running.stop(60)
            agent.close()


def one_start(stack: Stack, engine: Engine, mode: str, **settings: str) -> Start:
    with launch(stack, engine, mode, **settings) as started:
        memory = started.park() if mode == "standby" else None
        return started.serve(engine.start_seconds, memory)


def waterfall(what: str, starts: dict[str, list[Start]]) -> list[Figure]:
    """Where each second is, and where it was saved: phase by phase, beside the plain start."""
    names = list(dict.fromkeys(name for seen in starts.values() for start in seen for name in start.phases))
    found = []
    for name in names:
        if name == "preflight_done":
            continue
        plain = [start.phases.get(name, 0.0) for start in starts["plain"]]
        for mode, seen in starts.items():
            samples = [start.phases.get(name, 0.0) for start in seen]
            if max(plain + samples) >= 0.1:
                found.append(figure(f"{what}: {name}, {mode}", samples, "s", baseline=statistics.median(plain)))
    for mode, seen in starts.items():
        found.append(figure(f"{what}: unattributed, {mode}", [start.unattributed for start in seen], "s"))
    return found


def waiting(agent: Agent) -> list[int]:
    """The engine that waits, with its fork server."""
    main = [p.pid for p in procfs.processes() if " park --vllm " in p.command and str(agent.runtime) in p.command]
    return [process.pid for pid in main for process in procfs.of_session(pid)]


def rollup(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}


def answers(agent: Agent, prompts: list[str], tokens: int) -> list[str]:
    """Greedy completions, one after the other."""
    given = []
    for prompt in prompts:
        body: dict[str, Any] = {"model": MODEL, "prompt": prompt, "max_tokens": tokens, "temperature": 0}
        answer = http.call("POST", agent.engine_url + "/v1/completions", body, seconds=60)
        if answer.status != 200:
            raise RuntimeError(f"the model answered {answer.status}: {answer.text}")
        given.append(answer.json["choices"][0]["text"])
    return given


def compiling(engine: Engine) -> Engine:
    """The same with torch.compile."""
    arguments = [word for word in engine.arguments if word != "--enforce-eager"]
    return engines.Engine(engine.executable, engine.name, arguments, engine.environment, 2 * engine.start_seconds)
