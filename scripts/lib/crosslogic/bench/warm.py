"""Starts in each mode of the engine launcher, for the group `start`."""

from __future__ import annotations

import contextlib
import shutil
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
from crosslogic.launchable import launcher
from crosslogic.model import MODEL
from crosslogic.s3 import BUCKET
from crosslogic.waiting import NeverCameError, wait_for

if TYPE_CHECKING:
    from crosslogic.stack import Stack

PARKS_WITHIN = 240
LOOK_EVERY = 1.0
SAYS = "crosslogic-launcher: "
RESTORED = "restored from a checkpoint"


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


class Checkpoint:
    """What the launcher keeps in the folder of what starts have recorded."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "checkpoint"
        self.failed = folder / "checkpoint.failed"
        self.claims = folder / "checkpoint.claims"
        """Of starts from it that have not come to anything."""

    def forget(self) -> None:
        for path in (self.file, self.failed, self.claims):
            path.unlink(missing_ok=True)

    def prove(self) -> None:
        self.claims.unlink(missing_ok=True)

    def why_none(self) -> str | None:
        with contextlib.suppress(FileNotFoundError):
            return self.failed.read_text()
        return None


@dataclass
class Launch:
    """An agent whose engine is started in a mode, and the assignment it does not have yet."""

    agent: Agent
    gate: Gate
    checkpoint: Checkpoint

    def park(self) -> Memory:
        """Once all that will wait has imported what it wants: nothing of it uses the processor any more."""
        pids = wait_for("an engine that waits", lambda: waiting(self.agent), PARKS_WITHIN, self.why_gone)
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

        wait_for("it has imported all", is_still, PARKS_WITHIN, self.why_gone)
        sizes = [rollup(pid) for pid in pids]
        return Memory(sum(size["Rss"] for size in sizes), sum(size["Pss"] for size in sizes), len(pids))

    def serve(self, seconds: float, memory: Memory | None = None) -> Start:
        self.gate.open()
        wait_until_serving(self.agent.heartbeat_url, seconds, self.why_gone)
        beat = self.agent.heartbeat()
        phases: dict[str, float] = {}
        for span in beat["phases"]:
            phases[span["name"]] = phases.get(span["name"], 0.0) + span["seconds"]
        return Start(beat["timings"]["exec_to_ready_s"], phases, beat["unattributed_s"], memory)

    def expect_restored(self, mode: str = "", times: int = 1) -> None:
        """Raises where the engine has imported after all: its seconds would be another way's. Any mode, if none is
        named."""
        said = self.launcher_said
        if sum(f"{mode} {RESTORED}" in line for line in said) < times:
            raise NeverCameError(f"a {mode} start from a checkpoint: the launcher says {said}")

    @property
    def is_restored(self) -> bool:
        return any(RESTORED in line for line in self.launcher_said)

    @property
    def launcher_said(self) -> list[str]:
        """In the engine's log; nothing where no engine has begun."""
        log = self.agent.engine_log
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return [line.removeprefix(SAYS) for line in lines if line.startswith(SAYS)]

    def why_gone(self) -> str | None:
        return self.agent.running.why_gone()


@dataclass(frozen=True)
class Way:
    """How an engine is started."""

    mode: str
    is_restored: bool = False
    """From a checkpoint, or it does not count."""

    def __str__(self) -> str:
        return f"{self.mode} from a checkpoint" if self.is_restored else self.mode

    @property
    def settings(self) -> dict[str, str]:
        return {} if self.is_restored else {CHECKPOINT: "off"}


CHECKPOINT = "CROSSLOGIC_CHECKPOINT"
SOON = {CHECKPOINT: "0.2"}
"""An idle fork server is kept as soon as that."""
PLAIN, PRELOAD, STANDBY = (Way(mode) for mode in engines.START_MODES)
RESTORED_PRELOAD, RESTORED_STANDBY = (Way(mode, is_restored=True) for mode in engines.START_MODES[1:])


class Place:
    """One agent's folders for one start after the other: a checkpoint fits where home, runtime and cache folder are
    the same, as they are on a node."""

    def __init__(self, stack: Stack, engine: Engine) -> None:
        self.stack = stack
        self.engine = engine
        self.agent = stack.add_agent(engine, "node-bench", "token", url="the gate of each start")
        self.usual = self.agent.settings
        self.checkpoint = Checkpoint(Path(self.usual["CROSSLOGIC_CACHE_DIR"]) / "launcher")

    @contextlib.contextmanager
    def launch(self, way: Way, **settings: str) -> Iterator[Launch]:
        self._clear()
        with Gate(assignment(self.stack)) as gate:
            self.agent.settings = {
                **self.usual,
                "CROSSLOGIC_CONTROL_PLANE_URL": gate.url,
                "CROSSLOGIC_ENGINE_START": way.mode,
                "CROSSLOGIC_ENGINE_LAUNCHER": str(launcher()),
                # What the store takes to answer is the group `preflight`'s.
                "CROSSLOGIC_PREFLIGHT": "off",
                **way.settings,
                **settings,
            }
            self.agent.start()
            try:
                yield Launch(self.agent, gate, self.checkpoint)
            finally:
                self.agent.running.stop(60)
                self.agent.close()

    def _clear(self) -> None:
        """Nothing of the last start is to be taken for the next one's, or to be made up for by it."""
        for log in (self.agent.log, self.agent.engine_log):
            log.unlink(missing_ok=True)
        for folder in (self.agent.runtime, Path(self.usual["CROSSLOGIC_STATE_DIR"])):
            shutil.rmtree(folder, ignore_errors=True)

    def one_start(self, way: Way, **settings: str) -> Start:
        with self.launch(way, **settings) as started:
            memory = started.park() if way.mode == "standby" else None
            start = started.serve(self.engine.start_seconds, memory)
            if way.is_restored:
                started.expect_restored(way.mode)
            return start

    def leave_checkpoint(self) -> None:
        """By a start that does not count."""
        self.checkpoint.forget()
        with self.launch(STANDBY, **SOON) as started:
            kept = self.checkpoint
            wait_for("a checkpoint", kept.file.exists, PARKS_WITHIN, lambda: kept.why_none() or started.why_gone())
            # Beside the engine that waits and its fork server.
            wait_for("its keeper ends", lambda: len(waiting(self.agent)) == 2, PARKS_WITHIN, started.why_gone)


def assignment(stack: Stack) -> dict[str, Any]:
    store = stack.store
    return {
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


def one_start(stack: Stack, engine: Engine, way: Way, **settings: str) -> Start:
    """In folders of its own."""
    return Place(stack, engine).one_start(way, **settings)


def waterfall(what: str, starts: dict[Way, list[Start]]) -> list[Figure]:
    """Where each second is, and where it was saved: phase by phase, beside the plain start."""
    names = list(dict.fromkeys(name for seen in starts.values() for start in seen for name in start.phases))
    found = []
    for name in names:
        if name == "preflight_done":
            continue
        plain = [start.phases.get(name, 0.0) for start in starts[PLAIN]]
        for way, seen in starts.items():
            samples = [start.phases.get(name, 0.0) for start in seen]
            if max(plain + samples) >= 0.1:
                found.append(figure(f"{what}: {name}, {way}", samples, "s", baseline=statistics.median(plain)))
    for way, seen in starts.items():
        found.append(figure(f"{what}: unattributed, {way}", [start.unattributed for start in seen], "s"))
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
