"""A control plane that is away for too long: a node stops itself where it is to, and starts again when that is back."""

from __future__ import annotations

from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import RETRIES_WITHIN, STARTS_WITHIN, StartAgent, assignment, engine_processes, wait_for_state

PATIENCE = 6
STOPS_WITHIN = 3 * PATIENCE
"""A poll that nobody answers is given up after a third of it, not after three quarters of a minute; then it drains."""


def test_node_stops_itself_and_starts_again(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url, CROSSLOGIC_PARTITION_STOP_AFTER=str(PATIENCE))
    wait_for_state(agent, "serving")
    plane.wait_for_event("ready", STARTS_WITHIN)
    plane.be("slow")
    beat = wait_for_state(agent, "stopped", STOPS_WITHIN)
    assert engine_processes(agent) == []
    assert not (agent.runtime / "engine.env").exists()
    assert beat["control_plane"]["stopped"] is True
    assert beat["control_plane"]["reachable"] is False
    assert "until the control plane answers again" in beat["status"]
    assert agent.notify
    assert any("until the control plane answers again" in line for line in agent.notify.status_lines)
    assert agent.running.text().count("nothing heard of the control plane for") == 1
    plane.be("well")
    assert wait_for_state(agent, "serving", RETRIES_WITHIN)["generation"] == 1
    plane.wait_for_event("ready", 10, after=1)
    reasons = [event["data"]["reason"] for name in ("draining", "stopped") for event in plane.events_of(name)]
    assert reasons == ["partition", "partition"]
    assert agent.heartbeat()["control_plane"] == {"reachable": True, "error": None, "stopped": False}


def test_short_absence_stops_nothing(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url, CROSSLOGIC_PARTITION_STOP_AFTER="30")
    wait_for_state(agent, "serving")
    plane.be("error")
    wait_for("it is noticed", lambda: not agent.heartbeat()["control_plane"]["reachable"], 15)
    plane.be("well")
    wait_for("it is over", lambda: agent.heartbeat()["control_plane"]["reachable"], RETRIES_WITHIN)
    assert agent.heartbeat()["state"] == "serving"
    assert plane.events_of("draining") == []
