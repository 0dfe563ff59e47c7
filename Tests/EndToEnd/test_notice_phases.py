"""A notice in the rarer moments of a node's life: told, drained where there is something to drain, nothing started."""

from __future__ import annotations

import signal
import socket
import time

import pytest
from crosslogic import http
from crosslogic.agent import Agent
from crosslogic.clouds import AWS, Azure, Oracle
from crosslogic.engine import SimulatedEngine
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from preemption import Serve, Streaming, told, wait_for_source
from scripted_control_plane import ScriptedControlPlane
from support import StartAgent, assignment, engine_processes, wait_for_state


@pytest.fixture(scope="module")
def stack(isolated_stack: Stack) -> Stack:
    """Store, control plane, agents and metadata of this file stand in one network namespace."""
    return isolated_stack


def check_over(plane: ScriptedControlPlane, agent: Agent, state: str = "stopped") -> None:
    outcome = told(plane, "preempted", 20)
    assert (outcome["finished"], outcome["cut"]) == (0, 0)
    beat = wait_for_state(agent, state, 10)
    assert beat["engine"] is None
    assert engine_processes(agent) == []
    assert http.call("GET", agent.heartbeat_url + "/readyz").status == 503


def test_notice_while_preparing(stack: Stack, aws: AWS, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        wanted = assignment(stack)
        wanted["r2"]["endpoint"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        plane.assign(**wanted)
        agent = start_agent(plane.url, CROSSLOGIC_CLOUD="aws")
        wait_for_state(agent, "preparing")
        aws.announce(120)
        assert told(plane)["in_flight"] == 0
        check_over(plane, agent)
        # The preparation that was under way starts nothing either, however it ends.
        plane.assign(**assignment(stack, 2))
        plane.wait_for_event("assignment_accepted", 10, after=1)
        assert agent.heartbeat()["state"] == "stopped"
    assert plane.events_of("failed") == []


def test_notice_while_verifying(
    stack: Stack, aws: AWS, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(completions="hang")
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url, CROSSLOGIC_CLOUD="aws")
    wait_for_state(agent, "verifying")
    aws.announce(120)
    assert told(plane)["in_flight"] == 0
    check_over(plane, agent)
    assert plane.events_of("ready") == []


@pytest.mark.parametrize("start_fails", ["for now", "for good"])
def test_notice_after_a_failure(
    stack: Stack,
    aws: AWS,
    plane: ScriptedControlPlane,
    start_agent: StartAgent,
    stand_in: SimulatedEngine,
    start_fails: str,
) -> None:
    wanted = assignment(stack)
    if start_fails == "for now":
        stand_in.behave(die_at="Starting to load model")
    else:
        wanted["model_uri"] += "-that-is-not-there"
    plane.assign(**wanted)
    agent = start_agent(plane.url, CROSSLOGIC_CLOUD="aws")
    failure = plane.wait_for_event("failed", 20)["data"]["failure"]
    assert (failure["retry"] == "final") == (start_fails == "for good")
    aws.announce(120)
    assert told(plane)["in_flight"] == 0
    failed = len(plane.events_of("failed"))
    check_over(plane, agent, "failed" if start_fails == "for good" else "stopped")
    # Nothing is tried again while the notice holds.
    assert len(plane.events_of("failed")) == failed


def test_notice_while_an_operator_drains_leaves_less_time(
    aws: AWS, plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.05)
    agent = serve()
    wait_for_source(agent, "aws", "ok", 5)
    stream = Streaming(agent, 1000)
    agent.running.send(signal.SIGTERM)
    wait_for_state(agent, "draining", 10)
    # The operator grants half a minute.
    aws.announce(16)
    event = told(plane)
    assert event["in_flight"] is not None or event["notice"]["kind"] == "terminate"
    outcome = told(plane, "preempted", 20)
    assert outcome["cut"] == 1
    assert outcome["seconds_left"] > 0
    assert agent.running.wait(10) == 0
    assert 0 < stream.tokens(5) < 1000
    assert plane.events_of("stopped")[0]["data"]["reason"] == "terminate"


def test_notice_while_another_assignment_drains_starts_nothing(
    stack: Stack, aws: AWS, plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.05)
    agent = serve()
    wait_for_source(agent, "aws", "ok", 5)
    stream = Streaming(agent, 200)
    plane.assign(**assignment(stack, 2))
    wait_for_state(agent, "draining", 10)
    aws.announce(60)
    told(plane)
    assert stream.tokens(40) == 200
    assert told(plane, "preempted", 30)["cut"] == 0
    wait_for_state(agent, "stopped", 10)
    assert len(plane.events_of("ready")) == 1


def test_notice_that_comes_while_the_agent_is_away(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    agent = serve()
    agent.running.send(signal.SIGKILL)
    agent.running.wait(10)
    aws.announce(120)
    agent.log = agent.folder / "agent-2.log"
    agent.start()
    event = told(plane, seconds=10)
    assert event["resumed"] is False
    assert event["in_flight"] == 0
    check_over(plane, agent)


def test_notice_that_is_taken_back_while_the_agent_is_away(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    agent = serve()
    aws.announce(120)
    told(plane, "preempted", 20)
    agent.running.send(signal.SIGKILL)
    agent.running.wait(10)
    aws.change(action=None, time=None)
    agent.log = agent.folder / "agent-2.log"
    agent.start()
    assert told(plane, "preemption_withdrawn", 10)["notice_status"] == "withdrawn"
    wait_for_state(agent, "serving")


def test_hibernation_leaves_no_time(
    aws: AWS, plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.05)
    agent = serve()
    wait_for_source(agent, "aws", "ok", 5)
    Streaming(agent, 1000)
    aws.announce(120, action="hibernate")
    assert told(plane)["notice"]["kind"] == "hibernate"
    outcome = told(plane, "preempted", 10)
    assert outcome["cut"] == 1
    # The stream would go on for fifty seconds.
    assert outcome["seconds_used"] < 20
    wait_for_state(agent, "stopped", 10)


def test_life_cycle_that_ends_on_oracle(plane: ScriptedControlPlane, serve: Serve) -> None:
    oracle = Oracle()
    try:
        agent = serve("oracle")
        wait_for_source(agent, "oracle", "ok", 5)
        wait_for("the place", lambda: oracle.count("shape") > 0, 5)
        oracle.change(state="Terminating")
        event = told(plane)
        assert (event["cloud"], event["region"]) == ("oracle", "us-phoenix-1")
        assert (event["zone"], event["instance_type"]) == ("EMIr:PHX-AD-1", "VM.GPU3.1")
        assert 15 < event["notice"]["seconds_left"] <= 22
    finally:
        oracle.close()


def test_event_goes_over_a_connection_that_was_open_before(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    serve()

    def opened() -> set[int]:
        return {asked.connection for asked in plane.asked if asked.method == "OPTIONS"}

    before = wait_for("a connection is kept", opened, 5)
    aws.announce(120)
    event = told(plane)
    carrier = next(asked for asked in plane.asked if asked.carried == event_id(plane))
    assert event["notice"]["kind"] == "terminate"
    assert carrier.connection in before


def event_id(plane: ScriptedControlPlane) -> str:
    return plane.events_of("preemption")[0]["id"]


@pytest.mark.parametrize(("cloud", "granted", "tokens"), [("aws", 2, None), ("azure", 9, 70)])
def test_operator_grants_the_time_and_not_the_cloud(
    stack: Stack,
    plane: ScriptedControlPlane,
    start_agent: StartAgent,
    stand_in: SimulatedEngine,
    cloud: str,
    granted: int,
    tokens: int | None,
) -> None:
    """On AWS the engine would go on for two minutes, on Azure for five seconds."""
    double = Azure() if cloud == "azure" else AWS()
    stand_in.behave(seconds_per_token=0.1)
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url, CROSSLOGIC_CLOUD=cloud, CROSSLOGIC_DRAIN_TIMEOUT=str(granted))
    wait_for_state(agent, "serving")
    stream = Streaming(agent, tokens or 1000)
    began = time.monotonic()
    agent.running.send(signal.SIGTERM)
    assert agent.running.wait(30) == 0
    if tokens is None:
        assert granted <= time.monotonic() - began < granted + 5
        assert 0 < stream.tokens(5) < 1000
    else:
        assert stream.tokens(5) == tokens
    double.close()
