"""Group `fleet`: many simulated nodes against one control plane, all on this machine.

The simulator runs on the same cores as the control plane and is not free: what the figures say about a control plane
with cores of its own can only be better. `--nodes N` says how many; the kernel's part of the connections (some 9 kB
each, both ends being here) is in neither process.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from crosslogic import swift
from crosslogic.bench.figures import Figure, figure
from crosslogic.fleet import FleetStack, Line, Watch, bare_sync_seconds, most_nodes
from crosslogic.waiting import NeverCameError

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

SIMULATOR = "fleet-simulator"
USUAL_NODES = 2_000
MEGABYTE = 1_000_000
# Nodes that come up a second, their engines serving already: starts are those of the steady state.
RAMP_PER_SECOND = 1_000
STEADY_SECONDS = 60
# Some are always about to come back: they crash, and are taken away.
NEARLY_ALL = 0.999
# Of the fleet, a second: an engine dies once a day, a spot machine is taken twice a day.
CRASHES = 1 / 86_400
PREEMPTIONS = 2 / 86_400


def steady(bench: Bench) -> list[Figure]:
    """Sixty seconds of a fleet that serves, with its crashes and preemptions; then a restart of the control plane."""
    wanted = bench.nodes or USUAL_NODES
    nodes = most_nodes(wanted)
    if nodes < wanted:
        bench.console.line(f"{nodes} nodes instead of {wanted}: this machine's hard limit of open files allows no more")
    with fleet(bench, nodes) as stack:
        bench.note(f"fleet: {nodes} nodes come up")
        ramp = max(5.0, nodes / RAMP_PER_SECOND)
        stack.start_simulator(ramp, crashes=nodes * CRASHES, preemptions=nodes * PREEMPTIONS, adopted=True)
        came_up = come_up(stack, ramp)
        # Those that were cut off while the others came up are back, and the starts are over.
        time.sleep(20)
        bench.note(f"fleet: {nodes} nodes, steady for {STEADY_SECONDS} s")
        calm, cores, memory = observe(stack, STEADY_SECONDS)
        bench.note("fleet: the control plane is stopped and started again")
        rate = statistics.mean(rates(calm))
        back = restart(stack)
        size = f"{nodes} nodes"
        return [
            figure(f"{size}: polling, share of those asked for", [came_up], "1", goal=0.999, better="higher"),
            figure(f"{size}: memory of the control plane", memory, "MB", goal=1000, value=max),
            *(
                figure(f"{size}: {kind} answered, p99 of the worst second", latencies(calm, kind), "ms", 250, value=max)
                for kind in ("heartbeat", "events")
                if latencies(calm, kind)
            ),
            figure(f"{size}: requests of steady state", rates(calm), "/s"),
            figure(f"{size}: cores of the control plane (beside: of the simulator)", [cores[0]], "", baseline=cores[1]),
            figure(f"{size}: after a restart, back within", [back.seconds], "s", goal=60),
            figure(f"{size}: after a restart, peak over steady state", [back.peak / rate], "x", goal=2),
            figure("sync of this disk", [1000 * s for s in bare_sync_seconds(stack.folder)], "ms"),
        ]


class Return:
    def __init__(self, seconds: float, peak: float) -> None:
        self.seconds = seconds
        self.peak = peak


@contextmanager
def fleet(bench: Bench, nodes: int) -> Iterator[FleetStack]:
    folder = Path(tempfile.mkdtemp(prefix="crosslogic-fleet-"))
    binaries = bench.binaries
    stack = FleetStack(folder, binaries / swift.CONTROL_PLANE, swift.release_product(SIMULATOR, bench.console), nodes)
    try:
        bench.note(f"fleet: {nodes} nodes are registered")
        stack.register_nodes()
        stack.start_control_plane()
        yield stack
    finally:
        stack.close()
        shutil.rmtree(folder, ignore_errors=True)


def come_up(stack: FleetStack, ramp: float) -> float:
    """The share that polls; short of all where they do not manage."""
    try:
        stack.wait_for_line("all poll", lambda line: line["polling"] >= NEARLY_ALL * stack.nodes, seconds=ramp + 180)
        return 1.0
    except NeverCameError:
        return stack.lines()[-1]["polling"] / stack.nodes


def observe(stack: FleetStack, seconds: int) -> tuple[list[Line], tuple[float, float], list[float]]:
    """Lines, cores of both, and memory of the control plane in megabytes."""
    since = len(stack.lines())
    watch = Watch(stack)
    memory = []
    for _ in range(seconds):
        time.sleep(1)
        memory.append(stack.resident() / MEGABYTE)
    return stack.lines(since), watch.cores(), memory


def restart(stack: FleetStack) -> Return:
    """Stopped for good and started again, as an upgrade does it."""
    stack.server.stop(30)
    since = len(stack.lines())
    stack.start_control_plane()
    up = time.monotonic()
    try:
        stack.wait_for_line("all poll again", lambda line: line["polling"] >= NEARLY_ALL * stack.nodes, 300, since)
    except NeverCameError:
        return Return(float("inf"), max(rates(stack.lines(since))))
    seconds = time.monotonic() - up
    time.sleep(max(0.0, 60 - seconds))
    return Return(seconds, max(rates(stack.lines(since))))


def rates(lines: list[Line]) -> list[float]:
    """Answers a second, from the second line on. A simulator that is held up writes its line late, and more in it."""
    return [requests(line) / (line["at_s"] - before["at_s"]) for before, line in pairwise(lines)]


def requests(line: Line) -> float:
    return float(sum(line[f"{kind}_answers"] for kind in ("poll", "heartbeat", "events", "options")))


def latencies(lines: list[Line], kind: str) -> list[float]:
    return [1000 * line[f"{kind}_p99_s"] for line in lines if line.get(f"{kind}_p99_s") is not None]


FIGURES = [steady]
