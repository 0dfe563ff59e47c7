"""Who else announces the end of a machine: Google, Azure, Alibaba, logind, the control plane."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from crosslogic.clouds import AWS, GCP, Azure, TerminationTime
from crosslogic.engine import SimulatedEngine
from crosslogic.logind import LogindDouble
from crosslogic.metadata import iso
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from preemption import Serve, Streaming, is_counted_as_one, looks, told, wait_for_source, was_seen_soon
from scripted_control_plane import ScriptedControlPlane
from support import assignment, wait_for_state


@pytest.fixture(scope="module")
def stack(isolated_stack: Stack) -> Stack:
    """Store, control plane, agents and metadata of this file stand in one network namespace."""
    return isolated_stack


def test_gcp_by_long_poll_at_once(plane: ScriptedControlPlane, serve: Serve) -> None:
    gcp = GCP()
    try:
        agent = serve("gcp")
        wait_for_source(agent, "gcp-preempted", "ok", 5)
        wait_for_source(agent, "gcp-maintenance", "ok", 5)
        visible = gcp.change(preempted="TRUE")
        event = told(plane)
        assert was_seen_soon(event, visible)
        # It did not have to ask anew: the question that brought it was on hold.
        assert "wait_for_change=true" in looks(gcp, "/preempted", event["notice"]["first_seen_s"])[-1].path
        assert (event["cloud"], event["zone"], event["instance_type"]) == ("gcp", "us-central1-a", "a3-highgpu-8g")
        assert 15 < event["notice"]["seconds_left"] < 23
        assert told(plane, "preempted", 20)["seconds_left"] > 0
    finally:
        gcp.close()


def test_azure_evicts_within_eight_seconds_and_is_approved_after_the_drain(
    plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    azure = Azure()
    azure.first_delay = 3
    try:
        stand_in.behave(seconds_per_token=0.05)
        agent = serve("azure")
        wait_for_source(agent, "azure", "ok", 10)
        stream = Streaming(agent, 1000)
        visible = azure.announce("Preempt", 30)
        event = told(plane)
        assert was_seen_soon(event, visible)
        assert is_counted_as_one(event)
        assert event["notice"]["seconds_left"] <= 8
        assert azure.started == []
        outcome = told(plane, "preempted", 10)
        assert (outcome["finished"], outcome["cut"]) == (0, 1)
        assert outcome["seconds_left"] > 0
        assert 0 < stream.tokens(5) < 1000
        wait_for("the event is approved", lambda: azure.started, 3)
    finally:
        azure.close()


def test_azure_pause_is_approved_and_neighbours_are_left_alone(plane: ScriptedControlPlane, serve: Serve) -> None:
    azure = Azure()
    try:
        agent = serve("azure")
        wait_for("the own name", lambda: azure.count("compute") > 0, 10)
        azure.announce("Preempt", 30, Resources=["vm_2", "vm_3"])
        azure.announce("Freeze", 900, DurationInSeconds=5, EventId="pause")
        assert told(plane, "preemption_advice")["notice"]["kind"] == "freeze"
        wait_for("the pause is approved", lambda: azure.started == ["pause"], 3)
        assert agent.heartbeat()["state"] == "serving"
        assert plane.events_of("preemption") == []
    finally:
        azure.close()


def test_alibaba_says_a_time(plane: ScriptedControlPlane, serve: Serve) -> None:
    alibaba = TerminationTime(address="100.100.100.200")
    try:
        agent = serve("alibaba")
        wait_for_source(agent, "alibaba", "ok", 5)
        alibaba.change(line=iso(time.time() + 300))
        assert 290 < told(plane)["notice"]["seconds_left"] < 302
    finally:
        alibaba.close()


def test_control_plane_announces_the_end_of_an_assignment(
    stack: Stack, plane: ScriptedControlPlane, serve: Serve
) -> None:
    agent = serve("generic")
    plane.assign(**assignment(stack), end={"at": iso(time.time() + 20), "kind": "stop", "reason": "capacity block"})
    event = told(plane)
    assert event["notice"]["source"] == "control_plane"
    assert event["notice"]["word"] == "capacity block"
    told(plane, "preempted", 20)
    assert agent.heartbeat()["state"] == "stopped"


def bus_environment(bus: LogindDouble) -> dict[str, str]:
    return {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={bus.path}"}


def test_logind_is_held_up_until_the_node_has_drained(
    tmp_path: Path, plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.02)
    with LogindDouble(tmp_path / "bus") as logind:
        agent = serve("generic", bus_environment(logind))
        wait_for_source(agent, "logind", "ok", 5)
        assert logind.holds() == 1
        stream = Streaming(agent, 400)
        visible = logind.prepare_for_shutdown(True)
        event = told(plane)
        assert was_seen_soon(event, visible)
        assert (event["notice"]["kind"], event["notice"]["source"]) == ("shutdown", "logind")
        assert is_counted_as_one(event)
        assert logind.holds() == 1
        assert stream.tokens(30) == 400
        assert told(plane, "preempted", 20)["finished"] == 1
        wait_for("the lock is gone", lambda: logind.holds() == 0, 3)


def test_shutdown_that_is_called_off_brings_the_model_back(
    tmp_path: Path, plane: ScriptedControlPlane, serve: Serve
) -> None:
    with LogindDouble(tmp_path / "bus") as logind:
        agent = serve("generic", bus_environment(logind))
        wait_for_source(agent, "logind", "ok", 5)
        logind.prepare_for_shutdown(True)
        told(plane, "preempted", 20)
        logind.prepare_for_shutdown(False)
        assert told(plane, "preemption_withdrawn")["notice_status"] == "withdrawn"
        wait_for_state(agent, "serving")
        wait_for("the lock is held again", lambda: logind.holds() == 1, 3)


def test_bus_that_goes_away_is_found_again(tmp_path: Path, plane: ScriptedControlPlane, serve: Serve) -> None:
    with LogindDouble(tmp_path / "bus") as logind:
        agent = serve("generic", bus_environment(logind))
        wait_for_source(agent, "logind", "ok", 5)
        logind.drop()
        wait_for("the lock is held again", lambda: logind.holds() == 1, 12)
        logind.prepare_for_shutdown(True)
        told(plane)


def test_two_sources_within_a_second_are_one_notice(
    tmp_path: Path, aws: AWS, plane: ScriptedControlPlane, serve: Serve
) -> None:
    with LogindDouble(tmp_path / "bus") as logind:
        agent = serve("aws", bus_environment(logind))
        wait_for_source(agent, "logind", "ok", 5)
        wait_for_source(agent, "aws", "ok", 5)
        aws.announce(120)
        logind.prepare_for_shutdown(True)
        told(plane, "preempted", 20)
        ids = {event["data"]["notice"]["id"] for event in plane.events_of("preemption")}
        assert len(ids) == 1
        assert len(plane.events_of("preempted")) == 1
        assert agent.heartbeat()["notice"]["deadline_s"] - time.clock_gettime(time.CLOCK_BOOTTIME) < 25
