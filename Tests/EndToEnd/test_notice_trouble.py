"""Sources that cannot see, control planes that do not listen, agents that die: a notice is told nevertheless."""

from __future__ import annotations

import signal
import socket
import time
from itertools import pairwise
from statistics import median

import pytest
from crosslogic.clouds import AWS
from crosslogic.engine import SimulatedEngine
from crosslogic.metadata import Trouble
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from preemption import LOOK, Serve, Streaming, looks_until_seen, sources, told, wait_for_source, was_seen_soon
from scripted_control_plane import ScriptedControlPlane
from support import wait_for_state


@pytest.fixture(scope="module")
def stack(isolated_stack: Stack) -> Stack:
    """Store, control plane, agents and metadata of this file stand in one network namespace."""
    return isolated_stack


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
    event = told(plane)
    # One without a token may be between the trouble and its end.
    assert looks_until_seen(aws, LOOK, visible, event) <= (2 if name == "401" else 1)
    assert was_seen_soon(event, visible)


def test_token_that_ends_is_renewed_without_missing_a_look(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    aws.token_life = 2
    agent = serve()
    wait_for("several tokens", lambda: aws.count("api/token") >= 3, 15)
    assert sources(agent)["aws"]["state"] == "ok"
    aws.change(tokens={})
    visible = aws.announce(120)
    # Refused with the token that has ended, and asked again at once.
    event = told(plane)
    assert looks_until_seen(aws, LOOK, visible, event) <= 2
    assert was_seen_soon(event, visible)


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
    began = time.monotonic()
    aws.announce(120)
    wait_for_state(agent, "stopped", 30)

    def tried() -> set[str]:
        with plane.changed:
            return {asked.carried for asked in plane.asked if asked.at > began and asked.carried}

    # Each on its own, again and again: not the second only once the first is through.
    wait_for("tries of both", lambda: len(tried()) >= 2, 10)
    plane.be("well")
    told(plane, "preemption")
    told(plane, "preempted")
    ids = {event["id"] for event in plane.events_of("preemption")}
    assert len(ids) == 1


def test_restarted_agent_goes_on_with_the_same_notice(
    aws: AWS, plane: ScriptedControlPlane, serve: Serve, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(seconds_per_token=0.05)
    agent = serve()
    Streaming(agent, 1000)
    aws.announce(120)
    first = told(plane)
    agent.running.send(signal.SIGKILL)
    agent.running.wait(10)
    agent.log = agent.folder / "agent-2.log"
    agent.start()
    again = plane.wait_for_event("preemption", 10, after=1)["data"]
    assert again["notice"]["id"] == first["notice"]["id"]
    assert again["resumed"] is True
    assert again["notice"]["seconds_left"] < first["notice"]["seconds_left"]
    wait_for_state(agent, "stopped", 10)


def test_minute_of_503_then_a_notice(aws: AWS, plane: ScriptedControlPlane, serve: Serve) -> None:
    serve()
    aws.change(trouble=Trouble(status=503))
    looks = aws.count(LOOK)
    wait_for("sixty looks", lambda: aws.count(LOOK) >= looks + 55, 70)
    aws.announce(120)
    visible = aws.change(trouble=Trouble())
    event = told(plane)
    assert looks_until_seen(aws, LOOK, visible, event) <= 1
    assert was_seen_soon(event, visible)


def test_polling_keeps_one_connection_and_asks_once_a_second(aws: AWS, serve: Serve) -> None:
    agent = serve()
    wait_for_source(agent, "aws", "ok", 5)
    began, looks = time.monotonic(), aws.count(LOOK)
    wait_for("ten looks", lambda: aws.count(LOOK) >= looks + 10, 15)
    assert time.monotonic() - began > 9
    times = [asked.at for asked in aws.asked if LOOK in asked.path]
    assert median(later - earlier for earlier, later in pairwise(times)) < 1.5
    assert len(aws.connections) <= 2
