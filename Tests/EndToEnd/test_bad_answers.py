"""Every kind of wrong answer of a control plane is bounded, classified, said once and outlived."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

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
from crosslogic import http, procfs
from crosslogic.agent import Agent
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import RETRIES_WITHIN, STARTS_WITHIN, StartAgent, assignment, wait_for_state

BAD: dict[str, tuple[Writer, str]] = {
    **BROKEN_BODIES,
    **BROKEN_EXCHANGES,
    "teapot": (answer(b"{}", status="418 I'm a teapot"), "418"),
    "another content type": (answer(b'{"generation": 1}', kind="text/plain"), "text/plain"),
    "slow drip": (drip, "timeout"),
}
IMPATIENT = {"CROSSLOGIC_PARTITION_STOP_AFTER": "9"}
"""A poll is given up after a third of it, and what it was held for; else after three quarters of a minute."""


def complaint(agent: Agent) -> str | None:
    beat = http.try_get(agent.heartbeat_url + "/v1/heartbeat")
    if beat is None or beat.status != 200:
        return None
    plane = beat.json["control_plane"]
    return None if plane["reachable"] else plane["error"]


@pytest.mark.parametrize("kind", BAD)
def test_bad_answer_is_classified_said_once_and_outlived(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, kind: str
) -> None:
    plane.raw, word = BAD[kind]
    plane.be("raw")
    agent = start_agent(plane.url, **(IMPATIENT if kind == "slow drip" else {}))
    assert word in wait_for("a complaint", lambda: complaint(agent), STARTS_WITHIN, agent.running.why_gone)
    asked = len(plane.asked)
    wait_for("three more tries", lambda: len(plane.asked) >= asked + 3, RETRIES_WITHIN)
    assert procfs.memory(agent.running.pid).resident < MAXIMUM_RESIDENT
    log = agent.running.text().splitlines()
    assert len([line for line in log if "warning control plane: " in line]) == 1
    assert agent.notify
    assert len({line for line in agent.notify.status_lines if "control plane: " in line}) == 1
    plane.be("well")
    plane.assign(**assignment(stack))
    plane.wait_for_event("assignment_accepted", RETRIES_WITHIN)


def test_answer_that_is_no_assignment_is_rejected_by_name(plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    plane.assign(generation=1, model="acme/tiny", end={"at": "soon"})
    agent = start_agent(plane.url)
    rejected = plane.wait_for_event("assignment_rejected", STARTS_WITHIN)
    assert "model_uri" in json.dumps(rejected["data"]["faults"])
    assert agent.heartbeat()["state"] == "waiting"


def test_redirect_is_not_followed(plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    """It would carry the node's token to whoever it names."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        place = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        plane.raw = answer(b"", status="307 Temporary Redirect", headers=f"Location: {place}\r\n")
        plane.be("raw")
        agent = start_agent(plane.url)
        assert "307" in wait_for("a complaint", lambda: complaint(agent), STARTS_WITHIN, agent.running.why_gone)
        asked = len(plane.asked)
        wait_for("three more tries", lambda: len(plane.asked) >= asked + 3, RETRIES_WITHIN)
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    return certificate_for_loopback(tmp_path)


@pytest.fixture(params=BAD_TLS)
def bad_tls(request: pytest.FixtureRequest, own: tuple[Path, ssl.SSLContext]) -> Iterator[TLSEnd]:
    end = bad_tls_end(request.param, own[1])
    yield end
    end.server.close()


def test_bad_tls_is_classified_and_nothing_is_shown(bad_tls: TLSEnd, start_agent: StartAgent) -> None:
    agent = start_agent(bad_tls.url)
    words = wait_for("a complaint", lambda: complaint(agent), STARTS_WITHIN, agent.running.why_gone)
    assert words.startswith("tls: ")
    wait_for("several tries", lambda: bad_tls.connections >= 4, RETRIES_WITHIN)
    wait_for_state(agent, "waiting", 5)
    assert agent.running.text().count("warning control plane: ") == 1


@pytest.mark.parametrize(
    ("framing", "word"), [("Content-Length: 4000\r\n", "truncated"), ("", "not valid JSON")], ids=["framed", "unframed"]
)
def test_assignment_that_is_cut_off_within_tls_is_none(
    stack: Stack, own: tuple[Path, ssl.SSLContext], start_agent: StartAgent, framing: str, word: str
) -> None:
    """Whoever can cut a connection can do that without a key."""
    authority, context = own
    end = cut_off(context, json.dumps(assignment(stack)).encode()[:-1], framing)
    try:
        agent = start_agent(end.url, CROSSLOGIC_CA_FILE=str(authority))
        words = wait_for("a complaint", lambda: complaint(agent), STARTS_WITHIN, agent.running.why_gone)
        assert word in words
        wait_for("several tries", lambda: end.connections >= 4, RETRIES_WITHIN)
        assert agent.heartbeat()["state"] == "waiting"
        assert agent.running.text().count("warning control plane: ") == 1
    finally:
        end.server.close()
