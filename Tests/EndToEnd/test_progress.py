"""How far a start is, how long it will take, and when it is no use to wait."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crosslogic import engine as engines
from crosslogic import install
from crosslogic.agent import Agent
from crosslogic.console import Console
from crosslogic.engine import SimulatedEngine
from crosslogic.model import MODEL, ensure_model
from crosslogic.s3 import S3Server
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


@pytest.mark.real
def test_weights_are_followed_by_their_bytes(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, console: Console, rclone: Path
) -> None:
    """Over a slow link the engine's own bar stands still for seconds."""
    engine = engines.real(install.ensure_engine(console))
    store = S3Server(rclone, stack.folder / "slow", stack.folder / "slow.log", stack.canaries, megabytes_per_second=2)
    store.upload(ensure_model(), MODEL)
    wanted = assignment(stack)
    wanted["r2"].update(endpoint=store.endpoint, access_key_id=store.access_key, secret_access_key=store.secret_key)
    plane.assign(**wanted)
    agent = start_agent(
        plane.url,
        CROSSLOGIC_ENGINE=str(engine.executable),
        CROSSLOGIC_ENGINE_ARGS=" ".join(engine.arguments),
        **engine.environment,
    )
    beats: list[dict[str, Any]] = []

    def look() -> bool:
        beat = agent.heartbeat()
        if beat["phase"] == "weights_stream" and beat["progress"]:
            beats.append(beat["progress"])
        return beat["state"] == "serving"

    wait_for("the model serves", look, engine.start_seconds, agent.running.why_gone)
    weights = sum(path.stat().st_size for path in ensure_model().glob("*.safetensors"))
    last = beats[-1]
    assert last["total_bytes"] == pytest.approx(weights, rel=0.05)
    assert last["bytes"] == pytest.approx(weights, rel=0.25), "the rest came after the last look"
    assert len({beat["fraction"] for beat in beats}) >= 4
    assert [beat["bytes"] for beat in beats] == sorted(beat["bytes"] for beat in beats)
    rates = [beat["bytes_per_second"] for beat in beats if beat["bytes_per_second"]]
    assert rates[-1] == pytest.approx(2 * 1024**2, rel=0.5)


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
        plane.wait_for_event("failed", STARTS_WITHIN, after=starts - 1)
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
