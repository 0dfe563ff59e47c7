"""A node that nobody can reach tells its heartbeat, because the control plane asks for it: no setting on the node."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from crosslogic.agent import Agent
from crosslogic.contract import contract
from crosslogic.control_plane import ControlPlane
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import RETRIES_WITHIN, StartAgent, wait_for_state

# The shortest that the control plane asks for, a tenth more, and what a busy machine takes.
PUSHED_WITHIN = 20


@pytest.fixture(scope="module", autouse=True)
def control_plane(stack: Stack) -> ControlPlane:
    return stack.start_control_plane()


def view(stack: Stack, node: str) -> dict[str, Any]:
    return stack.control_plane.node(node)


def beat(stack: Stack, node: str, state: str) -> dict[str, Any] | None:
    heartbeat = view(stack, node)["heartbeat"]
    return heartbeat if heartbeat and heartbeat["state"] == state else None


def start(stack: Stack, **settings: str) -> tuple[Agent, str]:
    node, token = stack.control_plane.create_node()
    agent = stack.add_agent(stack.simulated_engine(20), node, token, **settings)
    agent.start()
    return agent, node


def test_control_plane_sees_a_node_that_it_cannot_reach(stack: Stack) -> None:
    agent, node = start(stack)
    try:
        wait_for_state(agent, "serving")
        pushed = wait_for("a pushed heartbeat", lambda: beat(stack, node, "serving"), PUSHED_WITHIN)
        assert contract().faults("Heartbeat", pushed["document"]) == []
        assert pushed["document"]["node_id"] == node
        # It goes on, and is of now.
        first = pushed["document"]["sequence"]
        wait_for("the next one", lambda: view(stack, node)["heartbeat"]["document"]["sequence"] > first, PUSHED_WITHIN)
        assert view(stack, node)["liveness"]["status"] == "alive"
        assert view(stack, node)["liveness"]["silent_s"] < PUSHED_WITHIN
    finally:
        agent.running.stop(30)
    # What it said last was that it stops, in an event; no heartbeat takes that back.
    assert view(stack, node)["liveness"]["status"] == "left"


def test_node_that_may_not_push_does_not(stack: Stack) -> None:
    pushing, node = start(stack)
    silent, quiet_node = start(stack, CROSSLOGIC_HEARTBEAT_PUSH="off")
    try:
        wait_for_state(silent, "serving")
        wait_for_state(pushing, "serving")
        wait_for("the other one's", lambda: beat(stack, node, "serving"), PUSHED_WITHIN)
        assert view(stack, quiet_node)["heartbeat"] is None
        assert view(stack, quiet_node)["liveness"]["status"] == "alive"
    finally:
        for agent in (pushing, silent):
            agent.running.stop(30)


def test_pushes_keep_the_pace_that_the_answer_sets_and_no_common_beat(
    plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.heartbeat_interval = 1
    agents = [start_agent(plane.url) for _ in range(3)]
    wait_for("seven of each", lambda: of_each(plane, 3, 7), RETRIES_WITHIN, agents[0].running.why_gone)
    pauses = [later - earlier for times in pushes(plane).values() for earlier, later in itertools.pairwise(times)]
    # A second, less a tenth.
    assert min(pauses) > 0.85, pauses
    # Without jitter they would agree to the millisecond.
    assert max(pauses) - min(pauses) > 0.05, pauses
    plane.heartbeat_interval = None
    wait_for("they stop", lambda: time.monotonic() - max(map(max, pushes(plane).values())) > 4, RETRIES_WITHIN)


def of_each(plane: ScriptedControlPlane, nodes: int, count: int) -> bool:
    seen = pushes(plane)
    return len(seen) == nodes and min(map(len, seen.values())) >= count


def pushes(plane: ScriptedControlPlane) -> dict[str | None, list[float]]:
    """When, by the node's token."""
    times: dict[str | None, list[float]] = {}
    with plane.changed:
        for asked in plane.asked:
            if asked.method == "PUT":
                times.setdefault(asked.token, []).append(asked.at)
    return times
