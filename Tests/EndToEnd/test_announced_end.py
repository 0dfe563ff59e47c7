"""The reference control plane announces the end of a machine that nobody else knows of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from crosslogic.agent import Agent
from crosslogic.control_plane import ControlPlane
from crosslogic.engine import SimulatedEngine
from crosslogic.metadata import iso
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from preemption import Streaming, is_counted_as_one
from support import wait_for_state


@pytest.fixture(scope="module")
def control_plane(stack: Stack) -> ControlPlane:
    return stack.start_control_plane()


@pytest.fixture
def serving(stack: Stack, control_plane: ControlPlane, stand_in: SimulatedEngine) -> Iterator[Agent]:
    stand_in.behave(seconds_per_token=0.02)
    node, token = control_plane.create_node()
    agent = stack.add_agent(stand_in, node, token, CROSSLOGIC_CLOUD="generic")
    agent.start()
    wait_for_state(agent, "serving")
    yield agent
    agent.running.stop(30)


def node_of(agent: Agent) -> str:
    return agent.settings["CROSSLOGIC_NODE_ID"]


def told(control_plane: ControlPlane, agent: Agent, name: str, seconds: float = 5) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        kind = f"io.crosslogic.node.{name}.v1"
        return next((e["data"] for e in control_plane.events(node_of(agent)) if e["type"] == kind), None)

    return wait_for(f"event {name}", look, seconds)


def test_end_is_drained_towards(serving: Agent, control_plane: ControlPlane) -> None:
    stream = Streaming(serving, 400)
    control_plane.announce_end(node_of(serving), iso(time.time() + 30), "stop", "capacity block")
    event = told(control_plane, serving, "preemption")
    assert (event["notice"]["source"], event["notice"]["kind"]) == ("control_plane", "stop")
    assert event["notice"]["word"] == "capacity block"
    assert is_counted_as_one(event)
    assert stream.tokens(30) == 400
    outcome = told(control_plane, serving, "preempted", 20)
    assert (outcome["finished"], outcome["cut"]) == (1, 0)
    assert control_plane.node(node_of(serving))["end"]["reason"] == "capacity block"
    # The same word again, in a poll of its own, is the same notice.
    assert serving.heartbeat()["state"] == "stopped"


def test_end_that_is_taken_back_leaves_the_model_serving(serving: Agent, control_plane: ControlPlane) -> None:
    control_plane.announce_end(node_of(serving), iso(time.time() + 3600), "terminate", "user stop")
    told(control_plane, serving, "preemption")
    assert serving.heartbeat()["state"] == "serving"
    control_plane.take_back_end(node_of(serving))
    assert told(control_plane, serving, "preemption_withdrawn")["notice_status"] == "withdrawn"
    assert serving.heartbeat()["state"] == "serving"
    assert serving.heartbeat()["generation"] == 1
