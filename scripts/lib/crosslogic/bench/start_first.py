"""Part of the group `start`: first starts, of a node that has served nothing yet, and of a machine just booted."""

from __future__ import annotations

import contextlib
import shutil
import statistics
from collections.abc import Callable, Iterator
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
    seen: dict[warm.Way, list[warm.Start]] = {warm.PLAIN: [], warm.PRELOAD: []}
    with bench.stack() as stack:
        stack.start_store()
        engine = installed(bench)
        first_of_all(stack, engine, warm.PLAIN)
        runs = bench.count(5)
        for number in range(1, runs + 1):
            for way, starts in seen.items():
                bench.note(f"start: first start of a node, {way}, run {number} of {runs}")
                starts.append(first_of_all(stack, engine, way))
    seconds = {way: [start.seconds for start in starts] for way, starts in seen.items()}
    ratios = start_caches.ratios(seconds[warm.PLAIN], seconds[warm.PRELOAD])
    baseline = statistics.median(seconds[warm.PLAIN])
    return [
        figure("first start of a node: plain over preload", ratios, "x", goal=2.0, better="higher"),
        *(figure(f"first start of a node, {way}", took, "s", baseline=baseline) for way, took in seconds.items()),
        *warm.waterfall("first start", seen),
    ]


def first_of_all(stack: Stack, engine: Engine, way: warm.Way) -> warm.Start:
    cache = stack.folder / "empty-cache"
    shutil.rmtree(cache, ignore_errors=True)
    return warm.one_start(stack, engine, way, CROSSLOGIC_CACHE_DIR=str(cache))


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


# Where there is a checkpoint, a node reads nothing ahead.
BOOTS = {
    warm.PLAIN: "plain",
    warm.STANDBY: "standby with read-ahead",
    warm.RESTORED_STANDBY: "standby from a checkpoint",
}
BOOT_GOALS = {warm.RESTORED_STANDBY: 4.0}


def cold_boots(bench: Bench, what: str, disk: Callable[[Path], AbstractContextManager[None]]) -> list[Figure]:
    seconds: dict[warm.Way, list[float]] = {way: [] for way in BOOTS}
    with bench.stack() as stack:
        stack.start_store()
        engine = installed(bench)
        place = warm.Place(stack, engine)
        bench.note(f"start: boot with a {what}, before it counts")
        place.one_start(warm.STANDBY)
        place.leave_checkpoint()
        drop_and_record(bench, stack, engine)
        runs = bench.count(5)
        with disk(engine.executable.parent.parent):
            for number in range(1, runs + 1):
                for way, name in BOOTS.items():
                    bench.note(f"start: boot with a {what}, {name}, run {number} of {runs}")
                    seconds[way].append(cold_boot_to_ready(bench, place, way))
    return [*boot_ratios(what, seconds), *boot_seconds(what, seconds)]


def boot_ratios(what: str, seconds: dict[warm.Way, list[float]]) -> Iterator[Figure]:
    for way, name in BOOTS.items():
        if way != warm.PLAIN:
            ratios = start_caches.ratios(seconds[warm.PLAIN], seconds[way])
            over = f"{what}, boot to ready: plain over {name}"
            yield figure(over, ratios, "x", goal=BOOT_GOALS.get(way), better="higher")


def boot_seconds(what: str, seconds: dict[warm.Way, list[float]]) -> Iterator[Figure]:
    for way, name in BOOTS.items():
        yield figure(f"{what}, boot to ready: {name}", seconds[way], "s")


def cold_boot_to_ready(bench: Bench, place: warm.Place, way: warm.Way) -> float:
    start_caches.drop_from_memory(place.engine.executable.parent.parent)
    start_caches.drop_file_from_memory(place.checkpoint.file)
    if way != warm.STANDBY:
        return boot_to_ready(place, way)
    with start_caches.ahead(bench.binaries, place.engine, place.stack.folder / "plan") as reading:
        seconds = boot_to_ready(place, way)
        reading.wait()
    return seconds


def drop_and_record(bench: Bench, stack: Stack, engine: Engine) -> None:
    """What is in memory afterwards is what a start needs, and nothing else."""
    start_caches.drop_from_memory(engine.executable.parent.parent)
    start_caches.start_seconds(stack, engine)
    start_caches.ahead(bench.binaries, engine, stack.folder / "plan", "--record").wait()


def boot_to_ready(place: warm.Place, way: warm.Way) -> float:
    """Exec of the agent to READY."""
    with place.launch(way) as started:
        started.serve(3 * place.engine.start_seconds)
        agent = started.agent
        assert agent.notify
        seconds = agent.notify.wait_for("READY", "1", 10).boot_time - agent.running.exec_boot_time
        if way.is_restored:
            # An assignment that is there before the engine waits starts one from the same checkpoint.
            started.expect_restored()
        return seconds


FIGURES = [first_start, cold_boot, cold_boot_cloud_disk]
