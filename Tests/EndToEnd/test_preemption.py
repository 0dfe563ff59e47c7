"""A notice at every phase of a node's life."""

from __future__ import annotations

import time

import pytest
from crosslogic import engine as engines
from crosslogic import http, install
from crosslogic.clouds import AWS
from crosslogic.console import Console
from crosslogic.engine import SimulatedEngine
from crosslogic.metadata import iso
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from preemption import LOOK, Serve, Streaming, is_counted_as_one, looks_until_seen, told, wait_for_source, was_seen_soon
from scripted_control_plane import ScriptedControlPlane
from support import StartAgent, assignment, engine_processes, wait_for_state


@pytest.fixture(scope="module")
def stack(isolated_stack: Stack) -> Stack:
    """Store, control plane, agents and metadata of this file stand in one network namespace."""
    return isolated_stack


def test_notice_while_serving_drains_and_tells(
    aws: AWS, plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.02)
    agent = serve()
    wait_for_source(agent, "aws", "ok", 5)
    stream = Streaming(agent, 400)
    visible = aws.announce(120)
    event = told(plane)
    assert looks_until_seen(aws, LOOK, visible, event) <= 1
    assert was_seen_soon(event, visible)
    assert is_counted_as_one(event)
    assert event["cloud"] == "aws"
    assert (event["region"], event["zone"], event["instance_type"]) == ("us-east-1", "us-east-1a", "p5.48xlarge")
    assert event["notice"]["kind"] == "terminate"
    assert 115 < event["notice"]["seconds_left"] <= 121
    assert http.call("GET", agent.heartbeat_url + "/readyz").status == 503
    assert agent.heartbeat()["state"] == "draining"
    assert agent.heartbeat()["notice"]["cut_s"]
    assert stream.tokens(30) == 400
    outcome = told(plane, "preempted", 20)
    assert (outcome["finished"], outcome["cut"]) == (1, 0)
    assert outcome["seconds_left"] > 80
    wait_for_state(agent, "stopped", 10)


@pytest.mark.real
def test_real_vllm_finishes_its_stream_and_is_gone_before_the_deadline(
    stack: Stack, aws: AWS, plane: ScriptedControlPlane, start_agent: StartAgent, console: Console
) -> None:
    engine = engines.real(install.ensure_engine(console))
    plane.assign(**assignment(stack))
    agent = start_agent(
        plane.url,
        CROSSLOGIC_CLOUD="aws",
        CROSSLOGIC_ENGINE=str(engine.executable),
        # A stream that outlasts the second until the metadata is looked at again, on a fast machine too.
        CROSSLOGIC_ENGINE_ARGS="--enforce-eager --max-model-len 1024",
        CROSSLOGIC_CACHE_DIR=str(engines.cache_folder()),
        **engine.environment,
    )
    wait_for_state(agent, "serving", engine.start_seconds)
    stream = Streaming(agent, 1000)
    aws.announce(60)
    event = told(plane)
    assert is_counted_as_one(event)
    # An engine that is busy may put two tokens into one message.
    assert 0 < stream.tokens(60) <= 1000
    assert b"data: [DONE]" in stream.received
    outcome = told(plane, "preempted", 60)
    assert (outcome["finished"], outcome["cut"]) == (1, 0)
    assert outcome["seconds_left"] > 0
    assert engine_processes(agent) == []


@pytest.mark.parametrize("skew", [-90.0, 90.0])
def test_clocks_that_disagree_do_no_harm(plane: ScriptedControlPlane, serve: Serve, skew: float) -> None:
    aws = AWS(skew=skew)
    try:
        serve()
        aws.announce(60)
        assert 30 < told(plane)["notice"]["seconds_left"] < 62
    finally:
        aws.close()


def test_cloud_clock_steps_in_the_middle_of_the_drain(
    aws: AWS, plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.02)
    agent = serve()
    stream = Streaming(agent, 200)
    aws.announce(120)
    first = told(plane)
    aws.change(skew=-3600.0)
    assert stream.tokens(20) == 200
    assert told(plane, "preempted", 20)["cut"] == 0
    assert agent.heartbeat()["notice"]["deadline_s"] <= first["notice"]["deadline_s"]
    assert len(plane.events_of("preempted")) == 1


def test_moving_time_is_one_notice_and_one_drain(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    serve()
    aws.change(action="terminate", moving_time=120.0)
    told(plane)
    told(plane, "preempted", 20)
    looks = aws.count(LOOK)
    wait_for("five more looks", lambda: aws.count(LOOK) >= looks + 5, 10)
    assert len(plane.events_of("preemption")) == 1
    assert len(plane.events_of("preempted")) == 1


@pytest.mark.parametrize("phase", ["waiting", "starting", "loading"])
def test_notice_before_it_serves_stops_and_reports(
    stack: Stack, aws: AWS, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine, phase: str
) -> None:
    if phase != "waiting":
        stand_in.behave(stall_at="Starting to load model" if phase == "loading" else "non-default args")
        plane.assign(**assignment(stack))
    agent = start_agent(plane.url, CROSSLOGIC_CLOUD="aws")
    wait_for_state(agent, phase if phase == "waiting" else "loading")
    aws.announce(120)
    assert told(plane)["in_flight"] == 0
    outcome = told(plane, "preempted", 20)
    assert (outcome["finished"], outcome["cut"]) == (0, 0)
    wait_for_state(agent, "stopped", 10)
    plane.assign(**assignment(stack, 2))
    plane.wait_for_event("assignment_accepted", 10)
    assert agent.heartbeat()["state"] == "stopped"
    assert agent.heartbeat()["engine"] is None


def test_unknown_action_with_a_time_acts(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    serve()
    aws.announce(120, action="flip!")
    assert told(plane)["notice"]["kind"] == "terminate"
    assert told(plane)["notice"]["word"] == "flip!"


def test_time_long_past_is_a_machine_that_was_spared(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    agent = serve()
    aws.announce(-600)
    assert told(plane, "preemption_withdrawn")["notice_status"] == "lapsed"
    assert agent.heartbeat()["state"] == "serving"
    assert plane.events_of("preemption") == []


def test_notice_taken_back_starts_the_model_again(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    agent = serve()
    aws.announce(120)
    told(plane, "preempted", 20)
    aws.change(action=None)
    assert told(plane, "preemption_withdrawn")["notice_status"] == "withdrawn"
    wait_for_state(agent, "serving")


def test_rebalance_is_told_and_changes_nothing(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    agent = serve()
    aws.change(rebalance=iso(time.time()))
    assert told(plane, "preemption_advice", 8)["notice"]["kind"] == "rebalance"
    assert agent.heartbeat()["state"] == "serving"


def test_notice_of_an_hour_is_told_and_the_model_serves_on(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    agent = serve()
    aws.announce(3600, action="stop")
    assert told(plane)["notice"]["seconds_left"] > 3500
    assert agent.heartbeat()["state"] == "serving"
    assert http.call("GET", agent.heartbeat_url + "/readyz").status == 200
