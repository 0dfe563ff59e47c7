"""The OpenAPI description, held against the control plane, the agent, and everything that passes between them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic import http, swift
from crosslogic.agent import Agent
from crosslogic.contract import contract, event_faults, try_server
from crosslogic.control_plane import ControlPlane
from crosslogic.stack import Stack
from mission import Record, complete_flight
from scripted_control_plane import ScriptedControlPlane
from support import StartAgent, assignment, wait_for_state

SPEED = 10.0


@pytest.fixture(scope="module")
def record(stack: Stack) -> Record:
    return complete_flight(stack, stack.simulated_engine(SPEED))


@pytest.fixture
def control_plane(stack: Stack, tmp_path: Path) -> Iterator[ControlPlane]:
    """One of its own: what is tried on it stays in it."""
    server = ControlPlane(
        stack.binaries / swift.CONTROL_PLANE, tmp_path, tmp_path / "control-plane.log", stack.r2, stack.canaries
    )
    yield server
    assert server.stop() == 0


def test_control_plane_answers_the_operator_as_described(control_plane: ControlPlane, tmp_path: Path) -> None:
    control_plane.create_node()
    try_server(contract().document, control_plane.url, ["operator", "public"], control_plane.admin_token, tmp_path)
    assert "error" not in control_plane.part.text()


def test_control_plane_answers_a_node_as_described(control_plane: ControlPlane, tmp_path: Path) -> None:
    node, token = control_plane.create_node()
    try_server(contract().for_node(node), control_plane.url, ["node"], token, tmp_path)
    assert control_plane.node(node)["events"] > 0, "not one event was taken: nothing was tried"
    assert "error" not in control_plane.part.text()


def test_agent_answers_as_described(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, tmp_path: Path
) -> None:
    agent: Agent = start_agent(plane.url)
    try_server(contract().document, agent.heartbeat_url, ["agent"], None, tmp_path, examples=5)
    plane.assign(**assignment(stack))
    wait_for_state(agent, "serving")
    try_server(contract().document, agent.heartbeat_url, ["agent"], None, tmp_path, examples=5)


def test_every_event_and_heartbeat_of_a_whole_flight_is_as_described(record: Record) -> None:
    assert len({event["type"] for event in record.events}) >= 6
    assert event_faults(record.events) == []
    assert [fault for beat in record.beats for fault in contract().faults("Heartbeat", beat)] == []


def test_what_the_control_plane_shows_of_the_flight_is_as_described(record: Record) -> None:
    assert contract().faults("Node", record.final_node) == []
    assert record.final_node["sequence_gaps"] == []


def test_startup_times_are_those_of_the_flight(stack: Stack, record: Record) -> None:
    starts = stack.control_plane.ask("GET", f"/api/v1/starts?node={record.node}")["starts"]
    assert [fault for entry in starts for fault in contract().faults("Starts", entry)] == []
    ready = [event["data"]["timings"]["assignment_to_ready_s"] for event in record.events_of("ready")]
    assert [entry["count"] for entry in starts] == [len(ready)]
    assert starts[0]["max_s"] == max(ready)
    assert starts[0]["phases"]["weights_stream"]["median_s"] > 0


def test_heartbeat_that_is_pushed_is_the_one_that_is_polled(stack: Stack, record: Record) -> None:
    plane = stack.control_plane
    node, token = plane.create_node()
    beat = {**record.first_serving().heartbeat, "node_id": node}
    answer = http.call("PUT", f"{plane.url}/api/v1/nodes/{node}/heartbeat", beat, token=token)
    assert answer.json == {"next_in_s": 10}
    assert plane.node(node)["heartbeat"]["document"] == beat


def test_a_wrong_document_is_found(record: Record) -> None:
    """What a check of a description is worth is what it refuses."""
    event = record.events[0]
    for change in (
        lambda e: e.pop("sequence"),
        lambda e: e.update(time="yesterday"),
        lambda e: e.update(type="io.crosslogic.node.something.v1"),
        lambda e: e["data"].update(surprise=1),
        lambda e: e["data"].update(state="dreaming"),
        lambda e: e["data"]["timeline"][0].update(source="rumour"),
    ):
        wrong = copy.deepcopy(event)
        change(wrong)
        assert event_faults([wrong]), change
