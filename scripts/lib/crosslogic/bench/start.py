"""Group `start`: the seconds that the engine launcher takes off a start, where they were, that nothing else differs.

Always the real engine but for `leftovers`; modes turn by turn in one run, since only ratios mean something.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from crosslogic import engine as engines
from crosslogic import http, procfs
from crosslogic.bench import start_caches, start_first, warm
from crosslogic.bench.figures import Figure, figure
from crosslogic.waiting import wait_for

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench
    from crosslogic.engine import Engine
    from crosslogic.stack import Stack

MEGABYTE = 1 << 20
PROMPTS = 50
TOKENS = 32
USUAL_STARTS = 200
SPEED = 40.0


def eager(bench: Bench) -> list[Figure]:
    """Without torch.compile: all that is left of a start is imports."""
    goals = {"standby": 6.0}
    return modes(bench, "eager", lambda engine: engine, goals)


def compiled(bench: Bench) -> list[Figure]:
    """With torch.compile, its caches filled by the start before."""
    return modes(bench, "torch.compile", warm.compiling, {"standby": 3.0})


def modes(bench: Bench, what: str, variant: Callable[[Engine], Engine], goals: dict[str, float]) -> list[Figure]:
    starts: dict[str, list[warm.Start]] = {mode: [] for mode in ("plain", *goals)}
    with bench.stack() as stack:
        stack.start_store()
        engine = variant(start_first.installed(bench))
        # Caches are filled, and modules recorded: neither is the fault of what is measured first.
        for mode in starts:
            bench.note(f"start: {what}, {mode}, before it counts")
            warm.one_start(stack, engine, mode)
        runs = bench.count(5)
        for number in range(1, runs + 1):
            for mode, seen in starts.items():
                bench.note(f"start: {what}, {mode}, run {number} of {runs}")
                seen.append(warm.one_start(stack, engine, mode))
    return [*totals(what, starts, goals), *memory(starts), *warm.waterfall(what, starts)]


def totals(what: str, starts: dict[str, list[warm.Start]], goals: dict[str, float]) -> list[Figure]:
    seconds = {mode: [start.seconds for start in seen] for mode, seen in starts.items()}
    plain = statistics.median(seconds["plain"])
    found = [figure(f"{what}: go to READY, {mode}", took, "s", baseline=plain) for mode, took in seconds.items()]
    for mode, goal in goals.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds["plain"], seconds[mode], strict=True)]
        found.append(figure(f"{what}: plain over {mode}", ratios, "x", goal=goal, better="higher"))
    return found


def memory(starts: dict[str, list[warm.Start]]) -> list[Figure]:
    parked = [start.memory for start in starts.get("standby", []) if start.memory]
    if not parked:
        return []
    return [
        figure("engine that waits: resident memory", [size.resident / MEGABYTE for size in parked], "MB"),
        figure("engine that waits: its share of what is mapped", [s.proportional / MEGABYTE for s in parked], "MB"),
    ]


def crash(bench: Bench) -> list[Figure]:
    """EngineCore is killed while the model serves: how soon does it serve again, against a plain start?"""
    again, plain = [], []
    with bench.stack() as stack:
        stack.start_store()
        engine = start_first.installed(bench)
        warm.one_start(stack, engine, "preload")
        runs = bench.count(5)
        for number in range(1, runs + 1):
            bench.note(f"start: after a crash, run {number} of {runs}")
            plain.append(warm.one_start(stack, engine, "plain").seconds)
            again.append(serving_again(stack, engine))
    shares = [ours / theirs for ours, theirs in zip(again, plain, strict=True)]
    return [
        figure("crash to serving again, standby", again, "s", baseline=statistics.median(plain)),
        figure("crash to serving again, over a plain start", shares, "x", goal=0.25),
    ]


def serving_again(stack: Stack, engine: Engine) -> float:
    with warm.launch(stack, engine, "standby") as started:
        started.park()
        started.serve(engine.start_seconds)
        agent = started.agent
        first = agent.heartbeat()["engine"]["pid"]
        # The next one waits before the first is killed, as it will have in all but the first seconds of serving.
        started.park()
        core = next(p.pid for p in procfs.of_session(first) if p.title == "VLLM::EngineCore")
        began = time.monotonic()
        os.kill(core, signal.SIGKILL)

        def serves() -> bool:
            answer = http.try_get(agent.heartbeat_url + "/v1/heartbeat")
            beat = answer.json if answer and answer.status == 200 else None
            return bool(beat and beat["state"] == "serving" and beat["engine"]["pid"] != first)

        wait_for("the model serves again", serves, engine.start_seconds, agent.running.why_gone)
        return time.monotonic() - began


def same_answers(bench: Bench) -> list[Figure]:
    """Greedy completions of fifty prompts in each mode."""
    words = ["the", "a", "dog", "reads", "river", "stone", "green", "seven", "over", "why", "light", "tree", "walks"]
    chance = random.Random(50)
    prompts = [" ".join(chance.choices(words, k=chance.randint(1, 24))) for _ in range(PROMPTS)]
    given: dict[str, list[str]] = {}
    with bench.stack() as stack:
        stack.start_store()
        engine = start_first.installed(bench)
        warm.one_start(stack, engine, "preload")
        for mode in engines.START_MODES:
            bench.note(f"start: {PROMPTS} prompts, {mode}")
            with warm.launch(stack, engine, mode) as started:
                if mode == "standby":
                    started.park()
                started.serve(engine.start_seconds)
                given[mode] = warm.answers(started.agent, prompts, TOKENS)
    different = [
        sum(ours != theirs for ours, theirs in zip(given[mode], given["plain"], strict=True))
        for mode in ("preload", "standby")
    ]
    return [figure(f"answers to {PROMPTS} prompts that differ from plain's", different, "", goal=0, value=max)]


def leftovers(bench: Bench) -> list[Figure]:
    """Starts and stops in mixed modes and of mixed kinds, with the stand-in for vLLM; `--runs` sets how many."""
    chance = random.Random(200)
    left: list[float] = []
    with bench.stack() as stack:
        stack.start_store()
        engine = engines.launchable(stack.simulated_engine(SPEED), "plain")
        runs = bench.count(USUAL_STARTS)
        for number in range(1, runs + 1):
            mode, ending = chance.choice(engines.START_MODES), chance.choice(list(ENDINGS))
            bench.note(f"start: {number} of {runs} starts and stops: {mode}, {ending}")
            with warm.launch(stack, engine, mode) as started:
                ENDINGS[ending](started, engine)
            left.append(len(of_stack(stack, engine)))
    return [figure(f"processes left over after each of {runs} starts and stops", left, "", goal=0, value=max)]


def of_stack(stack: Stack, engine: Engine) -> list[procfs.Process]:
    """Whatever belongs to an engine: by its output, or by its command line."""
    of_engine = [p for p in procfs.processes() if str(engine.executable.parent.parent) in p.command]
    writing = [process for process in procfs.writing_below(stack.folder) if process.pid != stack.store.part.pid]
    return [*of_engine, *writing]


def stop_serving(started: warm.Launch, engine: Engine) -> None:
    started.serve(engine.start_seconds)


def stop_waiting(started: warm.Launch, _engine: Engine) -> None:
    started.agent.heartbeat()


def stop_starting(started: warm.Launch, engine: Engine) -> None:
    started.gate.open()
    agent = started.agent
    wait_for("an engine", lambda: agent.heartbeat()["engine"], engine.start_seconds, agent.running.why_gone)


def kill_engine(started: warm.Launch, engine: Engine) -> None:
    started.serve(engine.start_seconds)
    os.kill(started.agent.heartbeat()["engine"]["pid"], signal.SIGKILL)


def kill_agent(started: warm.Launch, engine: Engine) -> None:
    """The next one cleans up."""
    started.serve(engine.start_seconds)
    started.agent.running.send(signal.SIGKILL)
    started.agent.running.wait(10)
    # The next one's address is the first that its log names.
    started.agent.log.unlink()
    started.agent.start()
    started.serve(engine.start_seconds)


ENDINGS = {
    "stopped while it serves": stop_serving,
    "stopped while it waits": stop_waiting,
    "stopped while it starts": stop_starting,
    "engine killed": kill_engine,
    "agent killed": kill_agent,
}

FIGURES = [eager, compiled, crash, same_answers, leftovers, *start_first.FIGURES, *start_caches.FIGURES]
