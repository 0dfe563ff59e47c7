"""How far a start is, how long it will take, and when it is no use to wait."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from crosslogic import engine as engines
from crosslogic import install
from crosslogic.agent import Agent
from crosslogic.console import Console
from crosslogic.engine import SimulatedEngine
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import RETRIES_WITHIN, STARTS_WITHIN, StartAgent, assignment, kill_process, wait_for_state


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An endpoint that accepts connections, by its backlog, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_start_that_stands_still_is_ended_with_its_phase_and_tried_again(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(stall_at="Starting to load model")
    plane.assign(**assignment(stack))
    start_agent(plane.url, CROSSLOGIC_STALL_AFTER="3")
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == "stalled"
    assert "in phase model_init" in failure["message"]
    stand_in.behave()
    plane.wait_for_event("ready", RETRIES_WITHIN)


@pytest.mark.real
def test_store_that_accepts_and_never_answers_is_named_while_vllm_is_silent(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, console: Console, black_hole: str
) -> None:
    """vLLM itself says nothing for three minutes."""
    engine = engines.real(install.ensure_engine(console))
    wanted = assignment(stack)
    wanted["r2"]["endpoint"] = black_hole
    plane.assign(**wanted)
    start_agent(
        plane.url,
        CROSSLOGIC_STALL_AFTER="8",
        CROSSLOGIC_ENGINE=str(engine.executable),
        CROSSLOGIC_ENGINE_ARGS=" ".join(engine.arguments),
        **engine.environment,
    )
    failure = plane.wait_for_event("failed", engine.start_seconds)["data"]["failure"]
    assert failure["class"] == "endpoint_stalled"
    assert "has sent nothing" in failure["message"]


def test_start_like_earlier_ones_is_estimated(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    """The first since boot is no measure for the others, so the third is the first with one."""
    stand_in.behave()
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    for starts in (1, 2):
        wait_for_state(agent, "serving")
        assert agent.heartbeat()["eta"] is None
        wait_for("the start is learned", lambda starts=starts: learned(agent) == starts, 5)
        kill_process(agent, "VLLM::EngineCore")
        wait_for_state(agent, "failed")
    estimated = wait_for("an estimate", lambda: estimate(agent), RETRIES_WITHIN)
    assert estimated["eta"]["starts"] == 1
    assert 0 < estimated["eta"]["seconds"] < STARTS_WITHIN
    assert "s left" in estimated["status"]


def learned(agent: Agent) -> int:
    path = agent.folder / "state" / "learned-starts.json"
    return path.read_text().count("ready_s") if path.exists() else 0


def estimate(agent: Agent) -> dict[str, Any] | None:
    beat = agent.heartbeat()
    return beat if beat["eta"] else None
