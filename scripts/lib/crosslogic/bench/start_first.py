"""Part of the group `start`: first starts, of a node that has served nothing yet, and of a machine just booted."""

from __future__ import annotations

import contextlib
import shutil
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from crosslogic import engine as engines
from crosslogic import install, launchable
from crosslogic.bench import cloud_disk, start_caches, warm
from crosslogic.bench.figures import Figure, figure
from crosslogic.engine import Engine
from crosslogic.stack import Stack

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench


def installed(bench: Bench) -> Engine:
    """As crosslogic-install-engine leaves it, the list of modules included."""
    engine = engines.real(install.ensure_engine(bench.console))
    bench.note("start: what crosslogic-install-engine records")
    launchable.record_at_installation(engine.executable)
    return engine


def first_start(bench: Bench) -> list[Figure]:
    """Nothing is known of earlier starts, and nothing is cached but what the installation has left."""
    seen: dict[str, list[warm.Start]] = {"plain": [], "preload": []}
    with bench.stack() as stack:
        stack.start_store()
        engine = installed(bench)
        first_of_all(stack, engine, "plain")
        runs = bench.count(5)
        for number in range(1, runs + 1):
            for mode, starts in seen.items():
                bench.note(f"start: first start of a node, {mode}, run {number} of {runs}")
                starts.append(first_of_all(stack, engine, mode))
    seconds = {mode: [start.seconds for start in starts] for mode, starts in seen.items()}
    ratios = start_caches.ratios(seconds["plain"], seconds["preload"])
    baseline = statistics.median(seconds["plain"])
    return [
        figure("first start of a node: plain over preload", ratios, "x", goal=2.0, better="higher"),
        *(figure(f"first start of a node, {mode}", took, "s", baseline=baseline) for mode, took in seconds.items()),
        *warm.waterfall("first start", seen),
    ]


def first_of_all(stack: Stack, engine: Engine, mode: str) -> warm.Start:
    cache = stack.folder / "empty-cache"
    shutil.rmtree(cache, ignore_errors=True)
    return warm.one_start(stack, engine, mode, CROSSLOGIC_CACHE_DIR=str(cache))


def cold_boot(bench: Bench) -> list[Figure]:
    """Nothing of the engine is in the page cache; the agent and the read-ahead begin at the same moment, as at a boot,
    and the assignment is there. Files that another program has mapped stay in memory: best without one."""
    return cold_boots(bench, "cold page cache", lambda _: contextlib.nullcontext())


def cold_boot_cloud_disk(bench: Bench) -> list[Figure]:
    """The same from the disk that most machines in a cloud have."""
    why_not = cloud_disk.why_not(install.ensure_engine(bench.console))
    if why_not:
        bench.console.line(f"start: left out, boots from a cloud's disk: {why_not}")
        return []
    return cold_boots(bench, "cold page cache, disk of a cloud", cloud_disk.slowed_down)


def cold_boots(bench: Bench, what: str, disk: Callable[[Path], AbstractContextManager[None]]) -> list[Figure]:
    plain, warmed = [], []
    with bench.stack() as stack:
        stack.start_store()
        engine = installed(bench)
        folder = engine.executable.parent.parent
        warm.one_start(stack, engine, "standby")
        drop_and_record(bench, stack, engine)
        runs = bench.count(5)
        with disk(folder):
            for number in range(1, runs + 1):
                bench.note(f"start: boot with a {what}, run {number} of {runs}")
                start_caches.drop_from_memory(folder)
                plain.append(boot_to_ready(stack, engine, "plain"))
                start_caches.drop_from_memory(folder)
                with start_caches.ahead(bench.binaries, engine, stack.folder / "plan") as reading:
                    warmed.append(boot_to_ready(stack, engine, "standby"))
                    reading.wait()
    ratios = start_caches.ratios(plain, warmed)
    return [
        figure(f"{what}, boot to ready: plain over standby with read-ahead", ratios, "x", goal=4.0, better="higher"),
        figure(f"{what}, boot to ready: plain", plain, "s"),
        figure(f"{what}, boot to ready: standby with read-ahead", warmed, "s"),
    ]


def drop_and_record(bench: Bench, stack: Stack, engine: Engine) -> None:
    """What is in memory afterwards is what a start needs, and nothing else."""
    start_caches.drop_from_memory(engine.executable.parent.parent)
    start_caches.start_seconds(stack, engine)
    start_caches.ahead(bench.binaries, engine, stack.folder / "plan", "--record").wait()


def boot_to_ready(stack: Stack, engine: Engine, mode: str) -> float:
    """Exec of the agent to READY."""
    with warm.launch(stack, engine, mode) as started:
        started.serve(3 * engine.start_seconds)
        agent = started.agent
        assert agent.notify
        return agent.notify.wait_for("READY", "1", 10).boot_time - agent.running.exec_boot_time


FIGURES = [first_start, cold_boot, cold_boot_cloud_disk]
