"""Group `systemd`: what it costs to have the agent on a node, and how the node behaves when it comes and goes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from crosslogic import package, procfs, swift
from crosslogic.agent import Agent
from crosslogic.bench.agent import MEGABYTE, settings_for_nothing
from crosslogic.bench.figures import Figure, figure, quantile
from crosslogic.bench.nodes import AGENT, ChangingControlPlane, TimedControlPlane, assignment, node_on_machine
from crosslogic.bench.preemption import Receiver
from crosslogic.hammer import Hammer
from crosslogic.paths import ROOT
from crosslogic.ports import free_port
from crosslogic.stack import Stack
from crosslogic.waiting import NeverCameError, wait_for

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

IDLE_SECONDS = 30
# Ten seconds after its start an agent forgets it.
SETTLED = 12
SPEED = 40.0
CHANGES = 10_000
# Before growth is measured: buffers, pools and caches have their size by then.
WARM_UP = 500

EXPOSURE = {"crosslogic-node-agent": 1.1, "crosslogic-engine": 1.6, "crosslogic-enginectl@": 0.9}


def heartbeat(bench: Bench) -> list[Figure]:
    """Agent's exec to the first heartbeat that is answered, beside the exec of the same program for its version."""
    samples, floor = [], []
    with bench.stack() as stack:
        for number in range(bench.count(40)):
            bench.note("systemd: exec to heartbeat")
            samples.append(exec_to_heartbeat(stack, number))
            began = time.monotonic()
            subprocess.run([stack.binaries / swift.AGENT, "--version"], check=True, stdout=subprocess.DEVNULL)
            floor.append((time.monotonic() - began) * 1000)
    return [
        figure("agent exec to heartbeat answered", samples, "ms", goal=25, baseline=sorted(floor)[len(floor) // 2]),
        figure("the same, p99", samples, "ms", value=quantile(0.99)),
    ]


def exec_to_heartbeat(stack: Stack, number: int) -> float:
    """Milliseconds, fork and exec included."""
    port = free_port()
    # Nobody listens there: a control plane that is away must not hold up the heartbeat.
    env_file = settings_for_nothing(stack.folder / f"agent-{number}", free_port())
    with env_file.open("a") as settings:
        settings.write(f"CROSSLOGIC_HEARTBEAT_LISTEN=127.0.0.1:{port}\n")
    with (stack.folder / "agent.log").open("ab") as log:
        began = time.monotonic()
        command = [stack.binaries / swift.AGENT, "run", "--env-file", env_file, "--engine-host", "child"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            while not answers(port):
                if time.monotonic() - began > 10 or process.poll() is not None:
                    raise NeverCameError("the agent did not answer")
            return (time.monotonic() - began) * 1000
        finally:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    with socket.socket() as client:
        try:
            client.connect(("127.0.0.1", port))
        except ConnectionRefusedError:
            return False
        client.sendall(b"GET /v1/heartbeat HTTP/1.1\r\nHost: agent\r\n\r\n")
        return client.recv(64).startswith(b"HTTP/1.1 200 ")


def idle(bench: Bench) -> list[Figure]:
    """An agent that waits for an assignment, and one whose model serves and is asked nothing."""
    with bench.stack() as stack, closing(Receiver()) as nobody:
        stack.start_store()
        stack.start_control_plane()
        # Has no assignment for it, and answers as late as it may.
        waiting = stack.add_agent(stack.simulated_engine(SPEED), "node-idle", "token", url=nobody.url)
        node, token = stack.control_plane.create_node()
        serving = stack.add_agent(stack.simulated_engine(SPEED), node, token)
        for agent, state in ((waiting, "waiting"), (serving, "serving")):
            agent.start()
            wait_for(state, lambda agent=agent, state=state: agent.heartbeat()["state"] == state, 60)
        bench.note("systemd: idle agents settle")
        time.sleep(SETTLED)
        rates = wakeups_per_second(bench, [waiting, serving])
        memory = [procfs.memory(agent.running.pid) for agent in (waiting, serving)]
        for agent in (waiting, serving):
            agent.running.stop(60)
    return [
        figure("agent without an assignment: wakeups", [rates[0]], "1/s", goal=2),
        figure("agent whose model serves: wakeups", [rates[1]], "1/s"),
        *memory_figures("agent without an assignment", memory[0], goal=20),
        *memory_figures("agent whose model serves", memory[1]),
    ]


def memory_figures(what: str, memory: procfs.Memory, goal: float | None = None) -> list[Figure]:
    return [
        figure(f"{what}: resident memory", [memory.resident / MEGABYTE], "MB", goal=goal),
        figure("the same, its share of what others have mapped too", [memory.proportional / MEGABYTE], "MB"),
        figure("the same, private: what it alone costs", [memory.private / MEGABYTE], "MB"),
    ]


def wakeups_per_second(bench: Bench, agents: list[Agent]) -> list[float]:
    """Nobody asks for a heartbeat meanwhile."""
    bench.note(f"systemd: wakeups over {IDLE_SECONDS} s")
    pids = [agent.running.pid for agent in agents]
    before, began = [procfs.sleeps(pid) for pid in pids], time.monotonic()
    time.sleep(IDLE_SECONDS)
    after, seconds = [procfs.sleeps(pid) for pid in pids], time.monotonic() - began
    return [
        sum(count - earlier.get(thread, 0) for thread, count in later.items()) / seconds
        for earlier, later in zip(before, after, strict=True)
    ]


def growth(bench: Bench) -> list[Figure]:
    """Ten thousand assignments, each executed: by a program that ends at once, so that an engine fails each time."""
    with bench.stack() as stack, closing(ChangingControlPlane()) as plane:
        agent = stack.add_agent(
            stack.simulated_engine(), "node-1", "token", url=plane.url,
            CROSSLOGIC_ENGINE="/bin/false", CROSSLOGIC_PREFLIGHT="off",
        )  # fmt: skip
        agent.start()
        pid = agent.running.pid
        plane.allow(WARM_UP)
        plane.wait_until_taken(WARM_UP, 120)
        before = settled(pid)
        wanted = bench.count(CHANGES)
        plane.allow(wanted)
        began = time.monotonic()
        while plane.taken < WARM_UP + wanted:
            bench.note(f"systemd: assignment {plane.taken - WARM_UP} of {wanted}")
            plane.wait_until_taken(min(plane.taken + 500, WARM_UP + wanted), 120)
        seconds = time.monotonic() - began
        after = settled(pid)
        agent.running.stop(60)
    return [
        figure(f"descriptors more after {wanted} assignment changes", [after[0] - before[0]], "", goal=0),
        figure(f"private memory more after {wanted} assignment changes", [after[1] - before[1]], "MB"),
        figure("assignment changes taken, engine executed each time", [wanted / seconds], "1/s", better="higher"),
    ]


def settled(pid: int) -> tuple[float, float]:
    """Descriptors and private megabytes, when what was on its way has arrived."""
    time.sleep(3)
    return procfs.descriptors(pid), procfs.memory(pid).private / MEGABYTE


def exits(bench: Bench) -> list[Figure]:
    """SIGKILL to the engine's main process until the control plane has taken `failed`."""
    runs = bench.count(50)
    child, unit = [], []
    with bench.stack() as stack, closing(TimedControlPlane()) as plane:
        stack.start_store()
        agent = stack.add_agent(
            stack.simulated_engine(SPEED), "node-1", "token", url=plane.url, CROSSLOGIC_PREFLIGHT="off"
        )
        agent.start()
        for number in range(1, runs + 1):
            bench.note(f"systemd: engine exit to failed, child, {number} of {runs}")
            child.append(kill_to_failed(plane, serve(stack, plane, number, agent.heartbeat)))
        agent.running.stop(60)
    with node_on_machine(bench) as (node, stack, plane):
        # READY starts it; what it reads and writes in its own time is no part of how an engine ends.
        node.systemctl("mask", "--runtime", "crosslogic-read-ahead-record.service")
        node.start()
        for number in range(1, runs + 1):
            bench.note(f"systemd: engine exit to failed, systemd, {number} of {runs}")
            pid = serve(stack, plane, number, lambda: node.heartbeat() or {})
            unit.append(kill_to_failed(plane, node.machine.pid_outside(pid)))
    return [
        figure("engine exit to `failed` acknowledged, p99, child", child, "ms", goal=50, value=quantile(0.99)),
        figure("engine exit to `failed` acknowledged, median, child", child, "ms"),
        figure("engine exit to `failed` acknowledged, p99, systemd", unit, "ms", goal=50, value=quantile(0.99)),
        figure("engine exit to `failed` acknowledged, median, systemd", unit, "ms"),
    ]


def serve(stack: Stack, plane: TimedControlPlane, generation: int, heartbeat: Callable[[], dict[str, Any]]) -> int:
    """A new generation, so that no pause after the failure before is in the way. The engine's pid, once it serves and
    nothing of its start is still to be told."""
    plane.assign(**assignment(stack, generation))

    def pid() -> int | None:
        beat = heartbeat()
        if (beat.get("generation"), beat.get("state")) != (generation, "serving") or beat["outbox"]["pending"]:
            return None
        return beat["engine"]["pid"]

    return wait_for("it serves", pid, 60)


def kill_to_failed(plane: TimedControlPlane, pid: int) -> float:
    """Milliseconds."""
    before = len(plane.failed)
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    with plane.changed:
        if not plane.changed.wait_for(lambda: len(plane.failed) > before, timeout=20):
            raise NeverCameError("`failed` was not told")
        return (plane.failed[before] - began) * 1000


def availability(bench: Bench) -> list[Figure]:
    """Polls without a pause while the agent is restarted, and killed."""
    restarts, kills, slowest, lost = [], [], [], 0
    with node_on_machine(bench) as (node, stack, plane):
        node.start()
        serve(stack, plane, 1, lambda: node.heartbeat() or {})
        for number in range(1, bench.count(10) + 1):
            for name, samples in (("restart", restarts), ("kill -9", kills)):
                bench.note(f"systemd: polls over a {name}, {number}")
                with Hammer(f"{node.url}/readyz") as hammer:
                    agent = node.main_pid(AGENT)
                    if name == "restart":
                        node.systemctl("restart", AGENT)
                    else:
                        node.signal_agent("KILL")
                    wait_for("another agent", lambda agent=agent: node.main_pid(AGENT) not in (0, agent), 20)
                    node.wait_for_state("serving")
                samples.append(hammer.slowest * 1000)
                slowest.append(float(hammer.count("refused") + hammer.count("silent")))
                lost += hammer.count("cut")
    return [
        figure("polls refused over restarts and kills", slowest, "", goal=0, value=sum),
        figure("polls cut off with a killed agent, all together", [float(lost)], ""),
        figure("slowest answer over a restart", restarts, "ms"),
        figure("slowest answer over a kill -9 (RestartSec=250ms is in it)", kills, "ms"),
    ]


def ready(bench: Bench) -> list[Figure]:
    """/health 200 to READY under systemd, without the canary; `agent.decisions` has the same for a child."""
    samples = []
    with node_on_machine(bench) as (node, stack, plane):
        node.start()
        for number in range(1, bench.count(20) + 1):
            bench.note(f"systemd: READY lag, {number}")
            serve(stack, plane, number, lambda: node.heartbeat() or {})
            timings = (node.heartbeat() or {})["timings"]
            samples.append((timings["health_to_ready_s"] - timings["canary_s"]) * 1000)
    return [figure("/health 200 to READY sent under systemd, without the canary", samples, "ms", goal=100)]


def sizes(bench: Bench) -> list[Figure]:
    made = package.build(bench.console)
    figures = [figure("Debian package", [made.stat().st_size / 1e6], "MB", goal=package.LARGEST / 1e6)]
    for unit, goal in EXPOSURE.items():
        path = ROOT / "systemd" / f"{unit}.service"
        command = ["systemd-analyze", "security", "--offline=true", "--no-pager", path]
        said = subprocess.run(command, check=False, capture_output=True, text=True).stdout
        found = re.search(r"Overall exposure level for .*: ([\d.]+)", said)
        if not found:
            raise NeverCameError(f"systemd-analyze says nothing of {unit}: {said}")
        # Of the agents that distributions ship, most stand above 9.
        figures.append(figure(f"exposure of {unit}.service", [float(found[1])], "", goal=goal))
    return figures


FIGURES = [heartbeat, ready, idle, exits, availability, growth, sizes]
