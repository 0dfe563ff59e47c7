"""Agents come and go, the engine stays: same process, one timeline, no event lost or doubled."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from typing import Any

import pytest
from asking import asking
from crosslogic import http
from crosslogic.metadata import iso
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, LOG, SERVING, InstalledStandIn, Node, another_agent, assignment, in_all_start_modes
from preemption import is_counted_as_one
from scripted_control_plane import ScriptedControlPlane

KILLS = 100 if "CROSSLOGIC_LONG" in os.environ else 10


def marks(node: Node) -> list[dict[str, Any]]:
    return (node.heartbeat() or {}).get("timeline", [])


def settled(node: Node) -> dict[str, Any]:
    """Serving, and the control plane has acknowledged it: nothing of the start is still to come."""
    node.wait_for_state("serving")
    node.wait_for_phase("ready_acked")
    return wait_for("a heartbeat", node.heartbeat, 10)


def check_events(plane: ScriptedControlPlane) -> None:
    """Delivered at least once means: an event may come again, under its own id. None may be missing."""
    events = {event["id"]: event for event in plane.events}
    numbers = sorted(int(event["sequence"]) for event in events.values())
    assert numbers == list(range(1, len(numbers) + 1))
    phases = Counter(
        event["data"]["phase"] for event in events.values() if event["type"] == "io.crosslogic.node.phase.v1"
    )
    assert [phase for phase, count in phases.items() if count > 1] == []
    assert {"engine_exec", "engine_config", "weights_done", "health_ok"} <= set(phases)
    assert len({event["id"] for event in plane.events_of("ready")}) == 1
    assert plane.events_of("failed") == []


@in_all_start_modes
def test_restart_keeps_the_engine_its_timeline_and_the_target(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**assignment(stack))
    node.start()
    before = settled(node)
    wait_for("the target", lambda: node.is_active(SERVING), 5)
    node.systemctl("restart", AGENT)
    # The restart is over when READY has come.
    assert node.is_active(AGENT)
    assert node.is_active(SERVING)
    after = settled(node)
    assert after["engine"]["pid"] == before["engine"]["pid"]
    assert after["timeline"] == before["timeline"]
    assert after["timings"] == before["timings"]
    assert after["generation"] == before["generation"]
    check_events(plane)


def test_sigusr2_by_hand_is_a_restart(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start()
    before = settled(node)
    agent = node.main_pid(AGENT)
    node.signal_agent("USR2")
    another_agent(node, agent)
    assert settled(node)["engine"]["pid"] == before["engine"]["pid"]


@in_all_start_modes
def test_kill_9_at_random_moments(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    """Of the load and of serving."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    generator = random.Random(seed)
    # Half of them while it loads.
    engine.behave(speed=40 / KILLS)
    plane.assign(**assignment(stack))
    node.start()
    # One that only waits for its assignment is no loss: the next agent parks another.
    wait_for("an engine with an assignment", lambda: ((node.heartbeat() or {}).get("engine") or {}).get("pid"), 20)
    pid = node.main_pid(ENGINE)
    for _ in range(KILLS):
        agent = node.main_pid(AGENT)
        threading.Event().wait(generator.uniform(0, 0.8))
        node.systemctl("kill", "--kill-who=main", "--signal=KILL", AGENT, check=False)
        another_agent(node, agent)
    # An agent that was killed before it heard the acknowledgement cannot know of it: no `ready_acked` to wait for.
    assert node.wait_for_state("serving", seconds=6 * KILLS)["engine"]["pid"] == pid
    assert node.main_pid(ENGINE) == pid
    wait_for("every event", lambda: (beat := node.heartbeat()) and beat["outbox"]["pending"] == 0, 10)
    check_events(plane)
    answer = http.call("GET", f"http://127.0.0.1:{node.engine_port}/health")
    assert answer.status == 200


@pytest.mark.parametrize("signal", ["USR2", "KILL"])
def test_drain_on_a_notice_goes_on_under_the_next_agent(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn, signal: str
) -> None:
    engine.behave(seconds_per_token=0.05)
    plane.assign(**assignment(stack))
    node.start()
    pid = settled(node)["engine"]["pid"]
    agent = node.main_pid(AGENT)
    # Fifteen seconds.
    with asking(node, tokens=300) as answer:
        plane.assign(**assignment(stack), end={"at": iso(time.time() + 30), "kind": "terminate"})
        first = plane.wait_for_event("preemption", 5)["data"]
        assert is_counted_as_one(first)
        node.signal_agent(signal)
        another_agent(node, agent)
        again = plane.wait_for_event("preemption", 10, after=1)["data"]
        assert (again["notice"]["id"], again["resumed"]) == (first["notice"]["id"], True)
        assert is_counted_as_one(again)
        assert node.main_pid(ENGINE) == pid
        assert answer.result().status == 200
    outcome = plane.wait_for_event("preempted", 15)["data"]
    assert (outcome["finished"], outcome["cut"]) == (1, 0)
    node.wait_for_state("stopped", 10)


@in_all_start_modes
def test_agent_that_hangs_is_replaced_and_the_engine_stays(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.drop_in(AGENT, "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n")
    plane.assign(**assignment(stack))
    node.start()
    before = settled(node)
    agent = node.main_pid(AGENT)
    node.signal_agent("STOP")
    another_agent(node, agent)
    assert "Watchdog timeout" in node.machine.journal("-u", AGENT)
    after = settled(node)
    assert after["engine"]["pid"] == before["engine"]["pid"]
    assert after["timeline"] == before["timeline"]


@in_all_start_modes
def test_engine_that_dies_while_no_agent_is_there_is_told_with_its_cause(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.drop_in(AGENT, "[Service]\nRestartSec=2s\n")
    plane.assign(**assignment(stack))
    node.start()
    pid = settled(node)["engine"]["pid"]
    node.signal_agent("KILL")
    node.machine.run("kill", "-SEGV", str(pid))
    failure = plane.wait_for_event("failed", 15)["data"]["failure"]
    assert failure["signal"] == 11
    plane.wait_for_event("ready", 20, after=1)


@in_all_start_modes
def test_engine_of_nobody_is_ended(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    """No handover, as after an agent of another version: what runs belongs to no assignment that is known."""
    plane.assign(**assignment(stack))
    node.start()
    pid = settled(node)["engine"]["pid"]
    plane.assignment = None
    agent = node.main_pid(AGENT)
    node.machine.run("systemctl", "kill", "--kill-who=main", "--signal=STOP", AGENT)
    node.machine.run("rm", "/run/crosslogic/handover.json")
    node.signal_agent("KILL")
    another_agent(node, agent)
    # One that waits may be in its unit already.
    wait_for("the engine is gone", lambda: node.main_pid(ENGINE) != pid and pid not in node.engine_pids(), 10)
    assert node.wait_for_state("waiting")["engine"] is None


def test_lines_written_while_no_agent_was_there_are_read_once_also_from_a_log_that_was_cut_meanwhile(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    # As slow as the real one: seconds to act in between two lines.
    engine.behave(speed=1)
    node.drop_in(AGENT, "[Service]\nRestartSec=1h\n")
    plane.assign(**assignment(stack))
    node.start()
    node.wait_for_phase("engine_core_spawn")
    log = node.machine.path(LOG)
    wait_for("a checkpoint", lambda: node.machine.path("/run/crosslogic/log.json").exists(), 5)
    node.signal_agent("KILL")
    wait_for("the weights are there", lambda: "Overall time to stream" in log.read_text(), 40)
    assert "weights_done" not in [event["data"]["phase"] for event in plane.events_of("phase")]
    # As logrotate's copytruncate does it; the engine goes on at the beginning of the same file.
    node.machine.shell(f"cp -p {LOG} {LOG}.1 && truncate -s 0 {LOG}")
    wait_for("the rest", lambda: "Application startup complete" in log.read_text(), 40)
    assert "Overall time to stream" not in log.read_text()
    node.systemctl("restart", "--no-block", AGENT)
    beat = settled(node)
    phases = [mark["phase"] for mark in beat["timeline"]]
    assert {"weights_stream", "weights_done", "kv_profile"} <= set(phases)
    check_events(plane)


@in_all_start_modes
def test_worker_that_dies_is_noticed_by_the_successor(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start()
    settled(node)
    node.systemctl("restart", AGENT)
    settled(node)
    node.machine.shell("kill -KILL $(pgrep -f ^VLLM::EngineCore)")
    killed_at = time.monotonic()
    assert plane.wait_for_event("failed", 15)["data"]["failure"]["class"] == "engine_died"
    print(f"failed after {time.monotonic() - killed_at:.3f} s")
