"""Every kind of wrong answer to an event is bounded, classified, said once and outlived; no event is lost by it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_answers import (
    BAD_TLS,
    BROKEN_BODIES,
    BROKEN_EXCHANGES,
    MAXIMUM_RESIDENT,
    TLSEnd,
    Writer,
    answer,
    bad_tls_end,
    certificate_for_loopback,
    cut_off,
    drip,
)
from crosslogic import procfs
from crosslogic.agent import Agent
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import RETRIES_WITHIN, STARTS_WITHIN, StartAgent, assignment, kill_process, wait_for_state

LONG = {kind: how for kind, how in BROKEN_EXCHANGES.items() if kind.startswith("a gigabyte")}
RETRIED: dict[str, tuple[Writer, str]] = {
    **{kind: how for kind, how in BROKEN_EXCHANGES.items() if kind not in LONG},
    "server error": (answer(b"{}", status="500 Internal Server Error"), "answered 500"),
    "a page for people": (answer(b"<html></html>", kind="text/html"), "answered 200"),
    "slow drip": (drip, "timeout"),
}
TAKEN = {**BROKEN_BODIES, **LONG}
TOO_LONG = {*LONG, "a hundred thousand levels"}
PARKED = [400, 402, 405, 409, 410, 413, 415, 418, 422, 451]
KEPT = [401, 403, 404]
TRIES_OF_A_DRIP = 60
"""Ten seconds each."""


def outbox(agent: Agent) -> dict[str, Any]:
    return agent.heartbeat()["outbox"]


def posts(plane: ScriptedControlPlane) -> int:
    return len([asked for asked in plane.asked if asked.method == "POST"])


def reject(stack: Stack, plane: ScriptedControlPlane, generation: int) -> None:
    """Makes the agent say something."""
    plane.assign(**assignment(stack, generation, dtype=f"float{generation}"))


def start(plane: ScriptedControlPlane, start_agent: StartAgent) -> Agent:
    agent = start_agent(plane.url)
    plane.wait_for_event("agent_started", STARTS_WITHIN)
    wait_for("it is acknowledged", lambda: outbox(agent)["pending"] == 0, 5)
    return agent


def times_said(agent: Agent, words: str) -> tuple[int, int]:
    """In the journal, and in STATUS."""
    assert agent.notify
    journal = [line for line in agent.running.text().splitlines() if f"warning {words}" in line]
    status = [line.partition("; events: ")[2].partition(";")[0] for line in agent.notify.status_lines]
    return len(journal), len(set(filter(None, status)))


def assert_nothing_lost(plane: ScriptedControlPlane) -> None:
    numbers = sorted({int(event["sequence"]) for event in plane.events})
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("kind", RETRIED)
def test_bad_answer_is_said_once_and_outlived(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, kind: str
) -> None:
    agent = start(plane, start_agent)
    plane.raw_events, word = RETRIED[kind]
    reject(stack, plane, 2)
    assert word in wait_for("it is told", lambda: outbox(agent)["error"], STARTS_WITHIN)
    tried = posts(plane)
    wait_for("more tries", lambda: posts(plane) >= tried + 3, TRIES_OF_A_DRIP)
    assert procfs.memory(agent.running.pid).resident < MAXIMUM_RESIDENT
    assert times_said(agent, "events are not delivered: ") == (1, 1)
    plane.raw_events = None
    plane.wait_for_event("assignment_rejected", RETRIES_WITHIN)
    wait_for("it is over", lambda: outbox(agent)["error"] is None, 5)
    assert_nothing_lost(plane)


@pytest.mark.parametrize("kind", TAKEN)
def test_body_of_an_acknowledgement_says_nothing(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, kind: str
) -> None:
    """2xx takes an event, whatever else is said: to a receiver of somebody else's the contract is no more than that."""
    agent = start(plane, start_agent)
    plane.raw_events, _ = TAKEN[kind]
    before = posts(plane)
    for generation in (2, 3):
        tried = posts(plane)
        reject(stack, plane, generation)
        wait_for("it is told", lambda tried=tried: posts(plane) > tried, STARTS_WITHIN)
        wait_for("it is off our hands", lambda: outbox(agent)["pending"] == 0, 5)
    plane.raw_events = None
    reject(stack, plane, 4)
    plane.wait_for_event("assignment_rejected", STARTS_WITHIN)
    assert posts(plane) == before + 3
    assert outbox(agent)["error"] is None
    assert agent.running.text().count("only their status is read") == (1 if kind in TOO_LONG else 0)
    assert procfs.memory(agent.running.pid).resident < MAXIMUM_RESIDENT


@pytest.mark.parametrize("status", PARKED)
def test_refusal_sets_the_event_aside_and_the_rest_go_on(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, status: int
) -> None:
    agent = start(plane, start_agent)
    plane.raw_events = answer(b"{}", status=f"{status} No")
    for generation in (2, 3):
        reject(stack, plane, generation)
        wait_for("it is set aside", lambda parked=generation - 1: outbox(agent)["parked"] == parked, STARTS_WITHIN)
    assert times_said(agent, f"events are refused with status {status} and set aside") == (1, 1)
    assert f"refused with status {status}" in outbox(agent)["error"]
    plane.raw_events = None
    reject(stack, plane, 4)
    plane.wait_for_event("assignment_rejected", STARTS_WITHIN)
    parked = sorted(path.name for path in (agent.folder / "state" / "outbox" / "parked").iterdir())
    assert len(parked) == 2
    # What the operator does about it.
    agent.running.stop(30)
    for name in parked:
        (agent.folder / "state" / "outbox" / "parked" / name).rename(agent.folder / "state" / "outbox" / name)
    agent.start()
    plane.wait_for_event("assignment_rejected", STARTS_WITHIN, after=2)
    assert_nothing_lost(plane)


@pytest.mark.parametrize("status", KEPT)
def test_node_that_is_not_let_in_keeps_its_events_for_a_token_that_works(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, status: int
) -> None:
    agent = start(plane, start_agent)
    plane.raw_events = answer(b"{}", status=f"{status} No")
    for generation in (2, 3):
        reject(stack, plane, generation)
        wait_for("it is kept", lambda parked=generation - 1: outbox(agent)["parked"] == parked, STARTS_WITHIN)
    assert times_said(agent, f"events are refused with status {status}; they are kept") == (1, 1)
    plane.raw_events = None
    # With a new token, as it may be: that takes a new agent.
    agent.running.stop(30)
    agent.start()
    plane.wait_for_event("assignment_rejected", STARTS_WITHIN, after=1)
    assert [event["data"]["rejected_generation"] for event in plane.events_of("assignment_rejected")] == [2, 3]
    assert_nothing_lost(plane)


def test_token_that_works_again_has_everything_delivered_in_order(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    agent = start(plane, start_agent)
    plane.assign(**assignment(stack))
    wait_for_state(agent, "serving")
    plane.wait_for_event("ready", STARTS_WITHIN)
    plane.be("unauthorized")
    wait_for("polls are refused", lambda: not agent.heartbeat()["control_plane"]["reachable"], 15)
    kill_process(agent, "VLLM::EngineCore")
    wait_for("its end is kept", lambda: outbox(agent)["parked"] >= 1, STARTS_WITHIN)
    plane.be("well")
    plane.wait_for_event("ready", RETRIES_WITHIN, after=1)
    plane.wait_for_event("failed", RETRIES_WITHIN)
    wait_for("all are delivered", lambda: outbox(agent) == delivered(), RETRIES_WITHIN)
    numbers = list(dict.fromkeys(int(event["sequence"]) for event in plane.events))
    assert numbers == list(range(1, len(numbers) + 1))


def delivered() -> dict[str, Any]:
    return {"pending": 0, "dropped": 0, "parked": 0, "damaged": 0, "error": None}


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    return certificate_for_loopback(tmp_path)


@pytest.fixture(params=BAD_TLS)
def bad_tls(request: pytest.FixtureRequest, own: tuple[Path, ssl.SSLContext]) -> Iterator[TLSEnd]:
    end = bad_tls_end(request.param, own[1])
    yield end
    end.server.close()


def test_bad_tls_of_a_callback_is_classified_and_serving_goes_on(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, bad_tls: TLSEnd
) -> None:
    agent = start(plane, start_agent)
    plane.assign(**assignment(stack, callback_url=f"{bad_tls.url}/events"))
    wait_for_state(agent, "serving")
    error = wait_for("it is told", lambda: outbox(agent)["error"], STARTS_WITHIN)
    assert error.startswith("not delivered: tls: ")
    wait_for("several tries", lambda: bad_tls.connections >= 4, RETRIES_WITHIN)
    assert times_said(agent, "events are not delivered: ") == (1, 1)


def test_acknowledgement_that_is_cut_off_within_tls_is_none(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, own: tuple[Path, ssl.SSLContext]
) -> None:
    authority, context = own
    end = cut_off(context, b"{", "Content-Length: 4000\r\n", status="202 Accepted")
    try:
        agent = start_agent(plane.url, CROSSLOGIC_CA_FILE=str(authority))
        plane.assign(**assignment(stack, callback_url=f"{end.url}/events"))
        wait_for_state(agent, "serving")
        error = wait_for("it is told", lambda: outbox(agent)["error"], STARTS_WITHIN)
        assert error.startswith("not delivered: truncated: ")
        assert outbox(agent)["pending"] > 0
    finally:
        end.server.close()


def test_redirect_is_not_followed(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    """It would carry the node's token to whoever it names."""
    agent = start(plane, start_agent)
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        place = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        plane.raw_events = answer(b"", status="307 Temporary Redirect", headers=f"Location: {place}\r\n")
        reject(stack, plane, 2)
        assert "307" in wait_for("it is told", lambda: outbox(agent)["error"], STARTS_WITHIN)
        tried = posts(plane)
        wait_for("three more tries", lambda: posts(plane) >= tried + 3, RETRIES_WITHIN)
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
