"""An engine that is missing, dies, lies or is somebody else."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from crosslogic import procfs
from crosslogic.engine import SimulatedEngine
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import (
    RETRIES_WITHIN,
    STARTS_WITHIN,
    StartAgent,
    assignment,
    engine_processes,
    in_all_start_modes,
    kill_process,
    wait_for_state,
)


def test_missing_engine_is_named(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    plane.assign(**assignment(stack))
    start_agent(plane.url, CROSSLOGIC_ENGINE="/nowhere/bin/vllm")
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == "engine_missing"
    assert "/nowhere/bin/vllm" in failure["message"]


def test_engine_without_the_right_to_execute_is_named(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, tmp_path: Path
) -> None:
    path = tmp_path / "vllm"
    path.write_text("#!/bin/sh\n")
    plane.assign(**assignment(stack))
    start_agent(plane.url, CROSSLOGIC_ENGINE=str(path))
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == "engine_missing"
    assert str(path) in failure["message"]


def test_stranger_on_the_port_is_named_and_never_ready(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    # A server that would answer /health and completions with 200, like an old vLLM.
    stranger = ScriptedControlPlane()
    try:
        plane.assign(**assignment(stack))
        agent = start_agent(plane.url, CROSSLOGIC_ENGINE_PORT=str(stranger.port))
        failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
        assert failure["class"] == "port_in_use"
        assert str(os.getpid()) in failure["message"]
        assert agent.notify
        assert agent.notify.first("READY", "1") is None
        assert plane.events_of("ready") == []
    finally:
        agent.running.stop(30)
        stranger.close()


@in_all_start_modes
def test_dead_engine_with_exit_code_0_is_a_failure_all_the_same(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(exit_after_death=0)
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    kill_process(agent, "VLLM::Worker")
    assert plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]["class"] == "engine_died"
    plane.wait_for_event("ready", STARTS_WITHIN, after=1)


@in_all_start_modes
def test_killed_api_server_takes_its_orphans_with_it(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    main = agent.heartbeat()["engine"]["pid"]
    # One that waits beside it is no part of it.
    before = [process for process in engine_processes(agent) if process.session == main]
    assert len(before) > 2
    os.kill(main, signal.SIGKILL)
    failed = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failed["signal"] == signal.SIGKILL
    plane.wait_for_event("ready", STARTS_WITHIN, after=1)
    assert [process for process in before if procfs.is_running(process.pid)] == []


@in_all_start_modes
def test_killed_while_it_loads_is_told_and_tried_again(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(die_at="Starting to load model")
    plane.assign(**assignment(stack))
    start_agent(plane.url)
    assert plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]["class"] == "engine_died"
    stand_in.behave()
    plane.wait_for_event("ready", RETRIES_WITHIN)


@pytest.mark.parametrize(
    ("transcript", "wanted"), [("wrong-secret", "credentials_rejected"), ("missing-model", "model_missing")]
)
def test_cause_in_the_log_becomes_the_class(
    stack: Stack,
    plane: ScriptedControlPlane,
    start_agent: StartAgent,
    stand_in: SimulatedEngine,
    transcript: str,
    wanted: str,
) -> None:
    stand_in.behave(transcript=stand_in.transcript(transcript))
    plane.assign(**assignment(stack))
    start_agent(plane.url)
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == wanted
    assert failure["exit_code"] == 1
    assert failure["evidence"]
    assert failure["remedy"]


def test_healthy_but_mute_engine_is_never_ready(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(completions=500)
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for("health_ok", lambda: "health_ok" in [m["phase"] for m in agent.timeline()["timeline"]], STARTS_WITHIN)
    failure = plane.wait_for_event("failed", RETRIES_WITHIN)["data"]["failure"]
    assert failure["class"] == "canary_failed"
    assert agent.notify
    assert agent.notify.first("READY", "1") is None
