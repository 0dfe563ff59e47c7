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
FORGOTTEN = 0.25
"""Share of the starts before which there is no checkpoint: beside one, nothing is kept."""
LONGEST_PAUSE = 1.2
"""Seconds before an end, and before what it ends: about what keeping a stand-in takes, from its start on."""


WAYS = [warm.PLAIN, warm.STANDBY, warm.RESTORED_PRELOAD, warm.RESTORED_STANDBY]


def eager(bench: Bench) -> list[Figure]:
    """Without torch.compile: all that is left of a start is imports."""
    return modes(bench, "eager", lambda engine: engine, 6.0)


def compiled(bench: Bench) -> list[Figure]:
    """With torch.compile, its caches filled by the start before."""
    return modes(bench, "torch.compile", warm.compiling, 3.0)


def modes(bench: Bench, what: str, variant: Callable[[Engine], Engine], goal: float) -> list[Figure]:
    starts: dict[warm.Way, list[warm.Start]] = {way: [] for way in WAYS}
    with bench.stack() as stack:
        stack.start_store()
        place = warm.Place(stack, variant(start_first.installed(bench)))
        prepare(bench, place, what)
        for way in WAYS:
            bench.note(f"start: {what}, {way}, before it counts")
            place.one_start(way)
        runs = bench.count(5)
        for number in range(1, runs + 1):
            for way, seen in starts.items():
                bench.note(f"start: {what}, {way}, run {number} of {runs}")
                seen.append(place.one_start(way))
    return [
        *totals(what, starts, {warm.STANDBY: goal, warm.RESTORED_STANDBY: goal}),
        *(found for way in (warm.STANDBY, warm.RESTORED_STANDBY) for found in memory(f"{what}: {way}", starts[way])),
        *warm.waterfall(what, starts),
    ]


def prepare(bench: Bench, place: warm.Place, what: str) -> None:
    """Caches are filled, modules recorded, and a checkpoint is there: nothing of it is the fault of what is measured
    first.
    """
    bench.note(f"start: {what}, {warm.STANDBY}, before it counts")
    place.one_start(warm.STANDBY)
    bench.note(f"start: {what}, a checkpoint")
    place.leave_checkpoint()


def totals(what: str, starts: dict[warm.Way, list[warm.Start]], goals: dict[warm.Way, float]) -> list[Figure]:
    seconds = {way: [start.seconds for start in seen] for way, seen in starts.items()}
    plain = seconds[warm.PLAIN]
    found = [
        figure(f"{what}: go to READY, {way}", took, "s", baseline=statistics.median(plain))
        for way, took in seconds.items()
    ]
    for way, took in seconds.items():
        if way != warm.PLAIN:
            ratios = start_caches.ratios(plain, took)
            found.append(figure(f"{what}: plain over {way}", ratios, "x", goal=goals.get(way), better="higher"))
    return found


def memory(what: str, starts: list[warm.Start]) -> list[Figure]:
    parked = [start.memory for start in starts if start.memory]
    return [
        figure(f"{what}, while it waits: resident memory", [size.resident / MEGABYTE for size in parked], "MB"),
        figure(
            f"{what}, while it waits: its share of what is mapped", [s.proportional / MEGABYTE for s in parked], "MB"
        ),
    ]


def crash(bench: Bench) -> list[Figure]:
    """EngineCore is killed while the model serves: how soon does it serve again, against a plain start?"""
    again, plain = [], []
    with bench.stack() as stack:
        stack.start_store()
        place = warm.Place(stack, start_first.installed(bench))
        prepare(bench, place, "after a crash")
        runs = bench.count(5)
        for number in range(1, runs + 1):
            bench.note(f"start: after a crash, run {number} of {runs}")
            plain.append(place.one_start(warm.PLAIN).seconds)
            again.append(serving_again(place))
    shares = start_caches.ratios(again, plain)
    return [
        figure(f"crash to serving again, {warm.RESTORED_STANDBY}", again, "s", baseline=statistics.median(plain)),
        figure("crash to serving again, over a plain start", shares, "x", goal=0.25),
    ]


def serving_again(place: warm.Place) -> float:
    seconds = place.engine.start_seconds
    with place.launch(warm.RESTORED_STANDBY) as started:
        started.park()
        started.serve(seconds)
        agent = started.agent
        first = agent.heartbeat()["engine"]["pid"]
        started.expect_restored("standby")
        # As after the five minutes that prove it: an engine that crashes has mostly served for longer.
        place.checkpoint.prove()
        # The next one waits before the first is killed, as it will have in all but the first seconds of serving.
        started.park()
        core = next(p.pid for p in procfs.of_session(first) if p.title == "VLLM::EngineCore")
        began = time.monotonic()
        os.kill(core, signal.SIGKILL)

        def serves() -> bool:
            answer = http.try_get(agent.heartbeat_url + "/v1/heartbeat")
            beat = answer.json if answer and answer.status == 200 else None
            return bool(beat and beat["state"] == "serving" and beat["engine"]["pid"] != first)

        wait_for("the model serves again", serves, seconds, agent.running.why_gone)
        took = time.monotonic() - began
        started.expect_restored("standby", times=2)
        return took


def same_answers(bench: Bench) -> list[Figure]:
    """Greedy completions of fifty prompts in each mode."""
    words = ["the", "a", "dog", "reads", "river", "stone", "green", "seven", "over", "why", "light", "tree", "walks"]
    chance = random.Random(50)
    prompts = [" ".join(chance.choices(words, k=chance.randint(1, 24))) for _ in range(PROMPTS)]
    given: dict[warm.Way, list[str]] = {}
    with bench.stack() as stack:
        stack.start_store()
        place = warm.Place(stack, start_first.installed(bench))
        prepare(bench, place, f"{PROMPTS} prompts")
        for way in (warm.PLAIN, warm.PRELOAD, warm.STANDBY, warm.RESTORED_PRELOAD, warm.RESTORED_STANDBY):
            bench.note(f"start: {PROMPTS} prompts, {way}")
            given[way] = answers(place, way, prompts)
    plain = given.pop(warm.PLAIN)
    different = [sum(ours != theirs for ours, theirs in zip(found, plain, strict=True)) for found in given.values()]
    return [figure(f"answers to {PROMPTS} prompts that differ from plain's", different, "", goal=0, value=max)]


def answers(place: warm.Place, way: warm.Way, prompts: list[str]) -> list[str]:
    with place.launch(way) as started:
        if way.mode == "standby":
            started.park()
        started.serve(place.engine.start_seconds)
        if way.is_restored:
            started.expect_restored(way.mode)
        return warm.answers(started.agent, prompts, TOKENS)


def leftovers(bench: Bench) -> list[Figure]:
    """Starts and stops in mixed modes and of mixed kinds, with the stand-in for vLLM; `--runs` sets how many. An idle
    fork server is kept at once, so that ends come while it is, and some starts are restored."""
    chance = random.Random(200)
    left: list[float] = []
    restored = 0
    with bench.stack() as stack:
        stack.start_store()
        engine = engines.launchable(stack.simulated_engine(SPEED), "plain")
        place = warm.Place(stack, engine)
        runs = bench.count(USUAL_STARTS)
        for number in range(1, runs + 1):
            mode, ending = chance.choice(engines.START_MODES), chance.choice(list(ENDINGS))
            bench.note(f"start: {number} of {runs} starts and stops: {mode}, {ending}")
            if chance.random() < FORGOTTEN:
                place.checkpoint.forget()
            with place.launch(warm.Way(mode), **warm.SOON) as started:
                time.sleep(chance.uniform(0, LONGEST_PAUSE))
                ENDINGS[ending](started, engine)
                time.sleep(chance.uniform(0, LONGEST_PAUSE))
            restored += started.is_restored
            left.append(len(of_stack(stack, engine)))
    return [
        figure(f"processes left over after each of {runs} starts and stops", left, "", goal=0, value=max),
        figure("starts from a checkpoint among them", [restored], ""),
    ]


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
