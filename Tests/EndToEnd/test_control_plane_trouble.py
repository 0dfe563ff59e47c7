"""A control plane that is down, slow or talks nonsense: the agent waits, says so once, and never exits."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from crosslogic.agent import Agent
from crosslogic.ports import free_port
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import RETRIES_WITHIN, STARTS_WITHIN, StartAgent, assignment, state, wait_for_state


@pytest.mark.parametrize("mood", ["error", "unauthorized", "html", "half", "slow"])
def test_waits_for_a_control_plane_that_misbehaves(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, mood: str
) -> None:
    plane.be(mood)
    agent = start_agent(plane.url)
    wanted = 1 if mood == "slow" else 5
    wait_for(f"{wanted} attempts", lambda: len(gets(plane)) >= wanted, RETRIES_WITHIN, agent.running.why_gone)
    assert state(agent) in {"booted", "waiting"}
    if mood != "slow":
        assert_backed_off([asked.at for asked in gets(plane)])
        assert_said_once(agent)
    plane.be("well")
    plane.assign(**assignment(stack))
    wait_for_state(agent, "serving", RETRIES_WITHIN)


def test_waits_for_a_control_plane_that_is_down(stack: Stack, start_agent: StartAgent) -> None:
    port = free_port()
    agent = start_agent(f"http://127.0.0.1:{port}")
    wait_for("the heartbeat says so", lambda: complaint(agent), STARTS_WITHIN, agent.running.why_gone)
    assert state(agent) in {"booted", "waiting"}
    plane = ScriptedControlPlane(port=port)
    try:
        plane.assign(**assignment(stack))
        wait_for_state(agent, "serving", RETRIES_WITHIN)
        assert_said_once(agent)
        agent.running.stop(30)
    finally:
        plane.close()


def complaint(agent: Agent) -> str | None:
    control_plane = agent.heartbeat()["control_plane"]
    return None if control_plane["reachable"] else control_plane["error"]


def gets(plane: ScriptedControlPlane) -> list[Any]:
    return [asked for asked in plane.asked if asked.method == "GET"]


def assert_backed_off(times: list[float]) -> None:
    """Pauses grow, and no two are alike: a fleet must not come back in step. Each may be short, the sum may not."""
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    # Two may agree to the millisecond by chance; all of them do so only without jitter.
    assert len({round(pause, 3) for pause in pauses}) > 1
    assert sum(pauses) > 0.3


def assert_said_once(agent: Agent) -> None:
    """Once in the log and once in STATUS, however many attempts there were."""
    assert len([line for line in agent.running.text().splitlines() if "warning control plane: " in line]) == 1
    assert agent.notify
    assert len([line for line in agent.notify.status_lines if "control plane: " in line]) == 1
