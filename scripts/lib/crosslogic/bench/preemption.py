"""Group `preemption`: from a notice that can be seen to a control plane that has taken it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crosslogic import procfs
from crosslogic.agent import Agent
from crosslogic.bench.figures import Figure, figure, quantile
from crosslogic.bench.receiving import EventHandler, Server
from crosslogic.clouds import AWS, GCP, Azure
from crosslogic.logind import LogindDouble
from crosslogic.metadata import MetadataDouble, Trouble
from crosslogic.netns import own_network
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

# They look at different moments of the second, so one notice is a sample of each.
AGENTS = 10
NOTICES = 200


class Receiver:
    """Takes every event, and writes down when it had each one; has no assignment for anybody."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.taken: dict[tuple[str, str], float] = {}
        self.seen: set[str] = set()
        self.counts: Counter[tuple[str, str]] = Counter()
        """How many different events of a kind each node has sent."""
        self.is_closing = False
        receiver = self

        class Handler(EventHandler):
            def do_GET(self) -> None:
                with receiver.changed:
                    receiver.changed.wait_for(lambda: receiver.is_closing, timeout=20)
                self.give(404)

            def do_POST(self) -> None:
                for event in self.accept_events():
                    receiver.take(event)

        self.server = Server(Handler)
        self.url = self.server.url

    def take(self, event: dict[str, object]) -> None:
        name = str(event["type"]).removeprefix("io.crosslogic.node.").removesuffix(".v1")
        with self.changed:
            # At least once: an event told past the outbox may come again from it.
            if event["id"] in self.seen:
                return
            self.seen.add(str(event["id"]))
            self.counts[(str(event["source"]), name)] += 1
            self.taken.setdefault((str(event["source"]), name), time.monotonic())
            self.changed.notify_all()

    def wait_for_all(self, name: str, count: int, seconds: float) -> list[float]:
        """When each of so many nodes was heard."""

        def times() -> list[float]:
            return [at for (_, kind), at in self.taken.items() if kind == name]

        with self.changed:
            if not self.changed.wait_for(lambda: len(times()) >= count, timeout=seconds):
                raise TimeoutError(f"{name}: heard of {len(times())} of {count} nodes within {seconds} s")
            return times()

    def forget(self) -> None:
        with self.changed:
            self.taken = {}
            self.counts.clear()

    def most(self, name: str) -> int:
        """Of any node."""
        with self.changed:
            return max((count for (_, kind), count in self.counts.items() if kind == name), default=0)

    def close(self) -> None:
        with self.changed:
            self.is_closing = True
            self.changed.notify_all()
        self.server.close()


@contextmanager
def nodes(bench: Bench, cloud: str, source: str | None, environment: dict[str, str] | None = None) -> Iterator[Fleet]:
    """Agents without an assignment: what is measured is between the source and the control plane."""
    with bench.stack() as stack:
        receiver = Receiver()
        fleet = Fleet(stack, receiver, cloud, environment or {})
        try:
            fleet.start(source)
            yield fleet
        finally:
            fleet.stop()
            receiver.close()


class Fleet:
    def __init__(self, stack: Stack, receiver: Receiver, cloud: str, environment: dict[str, str]) -> None:
        self.receiver = receiver
        engine = stack.simulated_engine()
        self.agents: list[Agent] = []
        for number in range(AGENTS):
            agent = stack.add_agent(
                engine, f"node-{number}", f"token-{number}", url=receiver.url, CROSSLOGIC_CLOUD=cloud
            )
            agent.process_environment = environment
            self.agents.append(agent)

    def start(self, source: str | None) -> None:
        for agent in self.agents:
            agent.start()
        for agent in self.agents:
            wait_for("a look", lambda agent=agent: sees(agent, source), 20, agent.running.why_gone)

    def rounds(
        self,
        bench: Bench,
        what: str,
        announce: Callable[[], float],
        take_back: Callable[[], object],
        usual: int = NOTICES,
    ) -> list[float]:
        """Seconds from visible to acknowledged."""
        samples: list[float] = []
        wanted = bench.count(usual)
        while len(samples) < wanted:
            bench.note(f"preemption: {what}, notice {len(samples) + 1} of {wanted}")
            self.receiver.forget()
            # Taking back was seen at a look, and a moment tied to that would not be any moment.
            time.sleep(random.random())
            visible = announce()
            samples += [at - visible for at in self.receiver.wait_for_all("preemption", AGENTS, 20)]
            take_back()
            self.receiver.wait_for_all("preemption_withdrawn", AGENTS, 20)
        return samples

    def stop(self) -> None:
        for agent in self.agents:
            if agent.part is not None:
                agent.running.stop(20)


def sees(agent: Agent, source: str | None) -> bool:
    """Without a source, whether the agent is there at all."""
    if source is None:
        return bool(agent.heartbeat())
    return any(s["name"] == source and s["state"] == "ok" for s in agent.heartbeat()["notice_sources"])


def rows(cloud: str, samples: list[float], median: float | None, slowest: float) -> list[Figure]:
    return [
        figure(f"{cloud}: notice visible to control plane acknowledged, median", samples, "s", goal=median),
        figure(f"{cloud}: the same, p99", samples, "s", goal=slowest, value=quantile(0.99)),
    ]


def aws(bench: Bench) -> list[Figure]:
    with own_network(), closing(AWS()) as double, nodes(bench, "aws", "aws") as fleet:
        samples = fleet.rounds(
            bench, "aws", lambda: double.announce(120), lambda: double.change(action=None, time=None)
        )
    return rows("AWS", samples, 0.6, 1.2)


def azure(bench: Bench) -> list[Figure]:
    with own_network(), closing(Azure()) as double, nodes(bench, "azure", "azure") as fleet:
        samples = fleet.rounds(bench, "azure", lambda: double.announce("Preempt", 30), lambda: double.change(events=[]))
    return rows("Azure", samples, 0.6, 1.2)


def gcp(bench: Bench) -> list[Figure]:
    with own_network(), closing(GCP()) as double, nodes(bench, "gcp", "gcp-preempted") as fleet:
        samples = fleet.rounds(
            bench, "gcp", lambda: double.change(preempted="TRUE"), lambda: double.change(preempted="FALSE")
        )
    return rows("GCP", samples, None, 0.3)


def logind(bench: Bench) -> list[Figure]:
    with bench.stack() as folder:
        bus = folder.folder / "bus"
        address = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus}"}
        with LogindDouble(bus) as double, nodes(bench, "generic", "logind", address) as fleet:
            samples = fleet.rounds(
                bench,
                "logind",
                lambda: double.prepare_for_shutdown(True),
                lambda: double.prepare_for_shutdown(False),
            )
    return rows("logind", samples, None, 0.1)


def stalled(bench: Bench) -> list[Figure]:
    """The look before the notice hangs for good; what it adds is on top of the second between two looks."""
    with own_network(), closing(AWS()) as double, nodes(bench, "aws", "aws") as fleet:

        def announce() -> float:
            looks = double.count("instance-action")
            double.change(trouble=Trouble(stall=True, for_good=True))
            wait_for("a request of each hangs", lambda: double.count("instance-action") >= looks + AGENTS, 10)
            double.change(trouble=Trouble())
            return double.announce(120)

        samples = fleet.rounds(
            bench, "aws, a look that hangs", announce, lambda: double.change(action=None, time=None), NOTICES // 4
        )
    return [figure("AWS, a metadata request hangs: visible to acknowledged, slowest", samples, "s", 3.2, value=max)]


def after_503(bench: Bench) -> list[Figure]:
    seconds = 60
    with own_network(), closing(AWS()) as double, nodes(bench, "aws", "aws") as fleet:

        def announce() -> float:
            double.change(trouble=Trouble(status=503))
            time.sleep(seconds)
            double.announce(120)
            return double.change(trouble=Trouble())

        samples = fleet.rounds(
            bench, f"aws, after {seconds} s of 503", announce, lambda: double.change(action=None, time=None), AGENTS
        )
    return [figure(f"AWS, after {seconds} s of 503: visible to acknowledged, slowest", samples, "s", 1.2, value=max)]


def moving_time(bench: Bench) -> list[Figure]:
    """The local mocks' default: `time` is two minutes ahead at every look."""
    seconds = 30
    with own_network(), closing(AWS()) as double, nodes(bench, "aws", "aws") as fleet:
        bench.note(f"preemption: {seconds} s of a time that moves")
        fleet.receiver.forget()
        double.change(action="terminate", moving_time=120.0)
        fleet.receiver.wait_for_all("preempted", AGENTS, 20)
        time.sleep(seconds)
        drains, notices = fleet.receiver.most("preempted"), fleet.receiver.most("preemption")
    return [
        figure(f"drains of a node in {seconds} s of a moving time", [drains], "", goal=1),
        figure(f"notices of a node in {seconds} s of a moving time", [notices], "", goal=1),
    ]


def cost(bench: Bench) -> list[Figure]:
    """CPU time of an agent that has nothing to do but to look for notices, less that of one that does not look."""
    seconds = 30
    with own_network(), closing(AWS()) as double, nodes(bench, "aws", "aws") as fleet:
        bench.note("preemption: cost of looking")
        began = double.count("instance-action")
        looking = [cpu_share(fleet.agents, seconds)]
        rate = (double.count("instance-action") - began) / seconds / AGENTS
    with nodes(bench, "generic", None) as fleet:
        idle = cpu_share(fleet.agents, seconds)
    share = max(0.0, looking[0] - idle)
    return [
        figure("looking for notices once a second: CPU of one core", [share * 100], "%", goal=0.1),
        figure("looks per second", [rate], "1/s", goal=1.02),
    ]


def cpu_share(agents: list[Agent], seconds: float) -> float:
    """Of one core, for each agent, over so many seconds."""
    pids = [agent.running.pid for agent in agents]
    before, began = sum(map(procfs.cpu_seconds, pids)), time.monotonic()
    time.sleep(seconds)
    return (sum(map(procfs.cpu_seconds, pids)) - before) / (time.monotonic() - began) / len(pids)


@contextmanager
def closing(double: MetadataDouble) -> Iterator[MetadataDouble]:
    try:
        yield double
    finally:
        double.close()


FIGURES = [aws, azure, gcp, logind, stalled, after_503, moving_time, cost]
