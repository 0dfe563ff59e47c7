"""A notice at every phase of a node's life, from services that behave like the real ones and worse, at their real
addresses in a network of the tests' own."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crosslogic import http
from crosslogic.agent import Agent
from crosslogic.engine import SimulatedEngine
from crosslogic.logind import LogindDouble
from crosslogic.metadata import AWS, GCP, Azure, TerminationTime, Trouble, iso
from crosslogic.model import MODEL
from crosslogic.netns import own_network
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import StartAgent, assignment, wait_for_state


@pytest.fixture(scope="module")
def stack(binaries: Path, rclone: Path) -> Iterator[Stack]:
    """Everything of this file stands in one network namespace: store, control plane, agents, metadata."""
    with own_network(), Stack(binaries, rclone, "test") as stack:
        stack.start_store()
        yield stack


@pytest.fixture
def aws() -> Iterator[AWS]:
    double = AWS()
    yield double
    double.close()


Serve = Callable[..., Agent]


@pytest.fixture
def serve(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> Serve:
    def start(cloud: str = "aws", environment: dict[str, str] | None = None) -> Agent:
        plane.assign(**assignment(stack))
        agent = start_agent(plane.url, environment, CROSSLOGIC_CLOUD=cloud)
        wait_for_state(agent, "serving")
        return agent

    return start


def sources(agent: Agent) -> dict[str, dict[str, Any]]:
    return {source["name"]: source for source in agent.heartbeat()["notice_sources"]}


def wait_for_source(agent: Agent, name: str, state: str, seconds: float) -> dict[str, Any]:
    return wait_for(
        f"{name} is {state}",
        lambda: (found := sources(agent).get(name)) and found["state"] == state and found,
        seconds,
    )


def told(plane: ScriptedControlPlane, name: str = "preemption", seconds: float = 5) -> dict[str, Any]:
    return plane.wait_for_event(name, seconds)["data"]


class Streaming:
    """One completion, token by token, read on a thread."""

    def __init__(self, agent: Agent, tokens: int) -> None:
        body = json.dumps({"model": MODEL, "prompt": "Hello", "max_tokens": tokens, "stream": True}).encode()
        self.client = socket.create_connection(("127.0.0.1", agent.engine_port))
        self.client.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        self.received = self.client.recv(65536)
        self.ended_at = 0.0
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        try:
            while chunk := self.client.recv(65536):
                self.received += chunk
        except OSError:
            pass
        self.ended_at = time.monotonic()

    def tokens(self, seconds: float) -> int:
        self.thread.join(seconds)
        self.client.close()
        return self.received.count(b"data: {")


def test_notice_while_serving_drains_and_tells(
    aws: AWS, plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.02)
    agent = serve()
    wait_for_source(agent, "aws", "ok", 5)
    stream = Streaming(agent, 150)
    visible = aws.announce(120)
    event = told(plane)
    assert time.monotonic() - visible < 1.5
    assert event["in_flight"] == 1
    assert event["cloud"] == "aws"
    assert (event["region"], event["zone"], event["instance_type"]) == ("us-east-1", "us-east-1a", "p5.48xlarge")
    assert event["notice"]["kind"] == "terminate"
    assert 115 < event["notice"]["seconds_left"] <= 121
    assert http.call("GET", agent.heartbeat_url + "/readyz").status == 503
    assert agent.heartbeat()["state"] == "draining"
    assert agent.heartbeat()["notice"]["cut_s"]
    assert stream.tokens(20) == 150
    outcome = told(plane, "preempted", 20)
    assert (outcome["finished"], outcome["cut"]) == (1, 0)
    assert outcome["seconds_left"] > 80
    wait_for_state(agent, "stopped", 5)


@pytest.mark.parametrize("skew", [-90.0, 90.0])
def test_clocks_that_disagree_do_no_harm(plane: ScriptedControlPlane, serve: Serve, skew: float) -> None:
    aws = AWS(skew=skew)
    try:
        serve()
        aws.announce(60)
        assert 57 < told(plane)["notice"]["seconds_left"] < 62
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
    looks = aws.count("instance-action")
    wait_for("five more looks", lambda: aws.count("instance-action") >= looks + 5, 10)
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


TROUBLES = {
    "stall": Trouble(stall=True),
    "drip": Trouble(drip=True),
    "401": Trouble(status=401),
    "403": Trouble(status=403),
    "429": Trouble(status=429),
    "503": Trouble(status=503),
    "html": Trouble(body=b"<html><body>Welcome to the hotel network</body></html>"),
    "broken": Trouble(body=b'{"action": "terminate" "time": "20'),
    "large": Trouble(body=b"{" + b" " * 10_000_000),
    "truncated": Trouble(body=b'{"action":', truncated=True),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_blindness_and_is_over_with_the_next_look(
    aws: AWS, plane: ScriptedControlPlane, serve: Serve, name: str
) -> None:
    agent = serve()
    wait_for_source(agent, "aws", "ok", 5)
    aws.change(trouble=TROUBLES[name])
    blind = wait_for_source(agent, "aws", "blind", 10)
    assert blind["reason"]
    assert plane.wait_for_event("notice_source", 5)["data"]["notice_source"]["state"] == "blind"
    assert agent.heartbeat()["state"] == "serving"
    assert plane.events_of("preemption") == []
    aws.announce(120)
    visible = aws.change(trouble=Trouble())
    told(plane)
    # A look is at most a second away; one that hangs, or is throttled, adds two.
    assert time.monotonic() - visible < 3.5


def test_token_that_ends_is_renewed_without_missing_a_look(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    aws.token_life = 2
    agent = serve()
    wait_for("several tokens", lambda: aws.count("api/token") >= 3, 15)
    assert sources(agent)["aws"]["state"] == "ok"
    aws.change(tokens={})
    visible = aws.announce(120)
    told(plane)
    assert time.monotonic() - visible < 1.5


def test_version_one_where_no_token_can_be_had(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    aws.change(token_stalls=True, requires_token=False)
    agent = serve()
    wait_for_source(agent, "aws", "ok", 10)
    aws.announce(120)
    told(plane)


def test_proxies_in_the_environment_are_not_asked(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        proxy = f"http://127.0.0.1:{trap.getsockname()[1]}"
        # The control plane may be behind one, so that only what is not to be asked is left to it.
        environment = {"http_proxy": proxy, "all_proxy": proxy, "no_proxy": "127.0.0.1"}
        agent = serve(environment=environment)
        wait_for_source(agent, "aws", "ok", 5)
        aws.announce(120)
        told(plane)
        trap.setblocking(False)
        with pytest.raises(BlockingIOError):
            trap.accept()


@pytest.mark.parametrize("mood", ["error", "slow", "unauthorized", "html"])
def test_control_plane_in_trouble_is_told_as_soon_as_it_listens(
    aws: AWS, plane: ScriptedControlPlane, serve: Serve, mood: str
) -> None:
    agent = serve()
    wait_for_source(agent, "aws", "ok", 5)
    plane.be(mood)
    aws.announce(120)
    wait_for_state(agent, "stopped", 30)
    listening = time.monotonic()
    plane.be("well")
    told(plane, "preemption", 5)
    told(plane, "preempted", 5)
    assert time.monotonic() - listening < 4
    ids = {event["id"] for event in plane.events_of("preemption")}
    assert len(ids) == 1


def test_restarted_agent_goes_on_with_the_same_notice(
    stack: Stack, aws: AWS, plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.05)
    agent = serve()
    Streaming(agent, 1000)
    aws.announce(120)
    first = told(plane)
    agent.running.send(signal.SIGKILL)
    agent.running.wait(10)
    agent.start()
    again = plane.wait_for_event("preemption", 10, after=1)["data"]
    assert again["notice"]["id"] == first["notice"]["id"]
    assert again["resumed"] is True
    assert again["notice"]["seconds_left"] < first["notice"]["seconds_left"]
    wait_for_state(agent, "stopped", 10)


def test_gcp_by_long_poll_at_once(plane: ScriptedControlPlane, serve: Serve) -> None:
    gcp = GCP()
    try:
        agent = serve("gcp")
        wait_for_source(agent, "gcp-preempted", "ok", 5)
        wait_for_source(agent, "gcp-maintenance", "ok", 5)
        visible = gcp.change(preempted="TRUE")
        event = told(plane)
        assert time.monotonic() - visible < 0.5
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
        assert event["in_flight"] == 1
        assert event["notice"]["seconds_left"] <= 8
        assert azure.started == []
        outcome = told(plane, "preempted", 10)
        assert time.monotonic() - visible < 9
        assert outcome["cut"] == 1
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
        stream = Streaming(agent, 100)
        visible = logind.prepare_for_shutdown(True)
        event = told(plane)
        assert time.monotonic() - visible < 0.5
        assert (event["notice"]["kind"], event["notice"]["source"]) == ("shutdown", "logind")
        assert event["in_flight"] == 1
        assert logind.holds() == 1
        assert stream.tokens(10) == 100
        told(plane, "preempted", 20)
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


def test_minute_of_503_then_a_notice(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    serve()
    aws.change(trouble=Trouble(status=503))
    looks = aws.count("instance-action")
    wait_for("sixty looks", lambda: aws.count("instance-action") >= looks + 55, 70)
    aws.announce(120)
    visible = aws.change(trouble=Trouble())
    told(plane)
    assert time.monotonic() - visible < 1.5


def test_polling_keeps_one_connection_and_asks_once_a_second(aws: AWS, serve: Serve) -> None:
    agent = serve()
    wait_for_source(agent, "aws", "ok", 5)
    began, looks = time.monotonic(), aws.count("instance-action")
    wait_for("ten looks", lambda: aws.count("instance-action") >= looks + 10, 15)
    assert time.monotonic() - began > 9
    assert len(aws.connections) <= 2
