"""The engine launcher in the agent's life: what waits, what becomes of it, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from crosslogic import procfs
from crosslogic.agent import Agent
from crosslogic.metadata import iso
from crosslogic.model import ensure_model
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import (
    STARTS_WITHIN,
    StartAgent,
    assignment,
    engine_processes,
    in_all_start_modes,
    kill_process,
    wait_for_state,
)

in_standby = pytest.mark.parametrize("start_mode", ["standby"], indirect=True)


def waiting(agent: Agent) -> list[procfs.Process]:
    """Engines that wait for their go."""
    return [process for process in procfs.processes() if is_waiting(process, agent)]


def is_waiting(process: procfs.Process, agent: Agent) -> bool:
    return (
        " park --vllm " in process.command and str(agent.runtime) in process.command and process.session == process.pid
    )


def wait_for_standby(agent: Agent, other_than: int = 0) -> int:
    def look() -> int | None:
        return next((process.pid for process in waiting(agent) if process.pid != other_than), None)

    pid = wait_for("an engine that waits", look, 20, agent.running.why_gone)
    # A fork server beside it: what it waits for is no longer its own imports.
    wait_for("its fork server", lambda: len(procfs.of_session(pid)) > 1, 20)
    return pid


def wait_for_checkpoint(agent: Agent) -> None:
    """Left by an idle fork server."""
    records = Path(agent.settings["CROSSLOGIC_CACHE_DIR"]) / "launcher"

    def why_none() -> str | None:
        failed = records / "checkpoint.failed"
        return failed.read_text() if failed.exists() else agent.running.why_gone()

    wait_for("a checkpoint", (records / "checkpoint").exists, 90, why_none)


def how_it_was_started(agent: Agent) -> str | None:
    """What the timeline says of it; nothing of a plain start, where even the phase can be too short to be seen."""
    phases = agent.heartbeat()["phases"]
    return next((phase["detail"] for phase in phases if phase["name"] == "engine_import"), None)


@in_all_start_modes
def test_serves_and_the_timeline_says_how_it_was_started(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, start_mode: str
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    beat = wait_for_state(agent, "serving")
    detail = how_it_was_started(agent)
    assert detail is None if start_mode == "plain" else (detail or "").startswith(start_mode)
    # The stand-in's way to its first line shows no sign, and a busy machine makes it longer.
    assert beat["unattributed_s"] < beat["timings"]["assignment_to_ready_s"] / 2
    assert stack.canaries.found_in("events", str(plane.events)) == []


@in_standby
def test_what_waited_before_the_assignment_came_is_the_engine(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    agent = start_agent(plane.url)
    parked = wait_for_standby(agent)
    environment = procfs.PROC.joinpath(str(parked), "environ").read_bytes()
    assert stack.store.secret_key.encode() not in environment
    plane.assign(**assignment(stack))
    assert wait_for_state(agent, "serving")["engine"]["pid"] == parked


@in_standby
def test_another_waits_beside_the_engine_and_replaces_it_when_that_dies(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    first = wait_for_state(agent, "serving")["engine"]["pid"]
    parked = wait_for_standby(agent, other_than=first)
    # The one that waits is no part of the engine.
    kill_process(agent, "VLLM::EngineCore")
    plane.wait_for_event("ready", STARTS_WITHIN, after=1)
    assert wait_for_state(agent, "serving")["engine"]["pid"] == parked
    following = wait_for_standby(agent, other_than=parked)
    assert [process.pid for process in waiting(agent)] == [following]


@in_standby
def test_one_that_is_killed_while_it_waits_is_missed_by_nobody(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    agent = start_agent(plane.url)
    parked = wait_for_standby(agent)
    os.kill(parked, signal.SIGKILL)
    wait_for("nothing of it is left", lambda: procfs.of_session(parked) == [], 10)
    plane.assign(**assignment(stack))
    assert wait_for_state(agent, "serving")["engine"]["pid"] != parked


@in_standby
def test_one_fits_an_assignment_without_the_streamer_too(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    agent = start_agent(plane.url)
    parked = wait_for_standby(agent)
    plane.assign(**assignment(stack, use_runai_streamer=False, model_uri=str(ensure_model())))
    assert wait_for_state(agent, "serving")["engine"]["pid"] == parked


@in_standby
def test_one_whose_environment_does_not_fit_is_replaced(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    # What may hold a password is given to no process that only waits.
    agent = start_agent(plane.url, VLLM_PLACE="user@machine")
    parked = wait_for_standby(agent)
    refusal = "not standby, because VLLM_PLACE differs from what was set when it parked"
    plane.assign(**assignment(stack))
    assert wait_for_state(agent, "serving")["engine"]["pid"] != parked
    wait_for("it is gone", lambda: procfs.of_session(parked) == [], 10)
    following = wait_for_standby(agent, other_than=parked)
    assert [process.pid for process in waiting(agent)] == [following]
    assert f"crosslogic-launcher: {refusal}\n" in agent.engine_log.read_text()
    detail = how_it_was_started(agent) or ""
    assert (detail.startswith("preload, "), detail.endswith(refusal)) == (True, True), detail


@in_standby
def test_the_next_agent_has_its_engine_from_the_checkpoint_that_the_last_one_left(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    agent = start_agent(plane.url, CROSSLOGIC_CHECKPOINT="0.2")
    wait_for_standby(agent)
    wait_for_checkpoint(agent)
    agent.running.stop(30)
    assert stack.left_over(agent) == []
    # The next one's address is the first that its log names.
    agent.log.unlink()
    agent.start()
    parked = wait_for_standby(agent)
    plane.assign(**assignment(stack))
    beat = wait_for_state(agent, "serving")
    assert beat["engine"]["pid"] == parked
    assert (how_it_was_started(agent) or "").startswith("standby restored from a checkpoint, ")
    # Beside it another one, from the same memory.
    first = [process.pid for process in engine_processes(agent)]
    parked = wait_for_standby(agent, other_than=parked)
    kill_process(agent, "VLLM::EngineCore")
    plane.wait_for_event("ready", STARTS_WITHIN, after=1)
    assert wait_for_state(agent, "serving")["engine"]["pid"] == parked
    assert (how_it_was_started(agent) or "").startswith("standby restored from a checkpoint, ")
    assert [pid for pid in first if pid != parked and procfs.is_running(pid)] == []


@in_standby
def test_a_checkpoint_that_does_not_fit_is_left_alone_and_the_log_says_why(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    agent = start_agent(plane.url, CROSSLOGIC_CHECKPOINT="0.2")
    wait_for_checkpoint(agent)
    agent.running.stop(30)
    agent.log.unlink()
    agent.settings["VLLM_PLACE"] = "elsewhere"
    agent.start()
    parked = wait_for_standby(agent)
    plane.assign(**assignment(stack))
    assert wait_for_state(agent, "serving")["engine"]["pid"] == parked
    log = agent.engine_log.read_text()
    assert "crosslogic-launcher: not restored, because VLLM_PLACE differs\n" in log
    assert "crosslogic-launcher: standby, " in log


@in_standby
def test_stopping_the_agent_ends_what_waits(plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    agent = start_agent(plane.url)
    parked = wait_for_standby(agent)
    agent.running.send(signal.SIGTERM)
    assert agent.running.wait(30) == 0
    assert procfs.of_session(parked) == []


@in_all_start_modes
def test_a_killed_agent_leaves_nothing_to_the_next(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, start_mode: str
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    old = [process.pid for process in engine_processes(agent)]
    if start_mode == "standby":
        old.append(wait_for_standby(agent, other_than=agent.heartbeat()["engine"]["pid"]))
    os.kill(agent.running.pid, signal.SIGKILL)
    agent.running.wait(10)
    # The next one's address is the first that its log names.
    agent.log.unlink()
    agent.start()
    wait_for_state(agent, "serving")
    assert [pid for pid in old if procfs.is_running(pid)] == []


@in_standby
def test_none_waits_once_the_end_of_the_machine_is_announced(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    engine = wait_for_state(agent, "serving")["engine"]["pid"]
    parked = wait_for_standby(agent, other_than=engine)
    plane.assign(**assignment(stack), end={"at": iso(time.time() + 20), "kind": "stop", "reason": "test"})
    wait_for("none waits", lambda: procfs.of_session(parked) == [], 20)
    wait_for_state(agent, "stopped")
    assert waiting(agent) == []
