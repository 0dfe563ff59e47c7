"""A new assignment while an engine loads or serves: proved first, then the engines are changed."""

from __future__ import annotations

from typing import Any

from crosslogic import http
from crosslogic.agent import Agent
from crosslogic.engine import SimulatedEngine
from crosslogic.model import MODEL
from crosslogic.ports import free_port
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import RETRIES_WITHIN, STARTS_WITHIN, StartAgent, assignment, wait_for_state

OTHER = "acme/other"
SECONDS_OF_LOAD = 4.0


def served_model(agent: Agent) -> str | None:
    answer = http.try_get(agent.engine_url + "/v1/models")
    return answer.json["data"][0]["id"] if answer and answer.status == 200 else None


def following(agent: Agent, state: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = agent.heartbeat()["next"]
        return found if found and found["state"] == state else None

    return wait_for(f"the next assignment is {state}", look, STARTS_WITHIN)


def missing(stack: Stack, generation: int) -> dict[str, Any]:
    return assignment(stack, generation, model=OTHER, model_uri=f"s3://{BUCKET}/acme/nothing")


def serving(agent: Agent, generation: int) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        beat = agent.heartbeat()
        return beat if beat["state"] == "serving" and beat["generation"] == generation else None

    return wait_for(f"assignment {generation} serves", look, RETRIES_WITHIN, agent.running.why_gone)


def test_one_that_cannot_work_leaves_the_old_one_serving(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    engine = wait_for_state(agent, "serving")["engine"]
    plane.assign(**missing(stack, 2))
    failed = plane.wait_for_event("failed", STARTS_WITHIN)["data"]
    assert (failed["generation"], failed["model"]) == (2, OTHER)
    assert (failed["serving_generation"], failed["state"]) == (1, "serving")
    assert failed["failure"]["class"] == "model_missing"
    assert failed["failure"]["remedy"]
    assert failed["preflight"]["verdict"] == "fatal"
    refused = following(agent, "refused")
    assert (refused["generation"], refused["failure"]["class"]) == (2, "model_missing")
    beat = agent.heartbeat()
    assert (beat["state"], beat["generation"], beat["failure"]) == ("serving", 1, None)
    assert beat["engine"] == engine
    assert served_model(agent) == MODEL
    assert "assignment 2 (acme/other) refused: model_missing" in beat["status"]
    assert agent.running.text().count("assignment 2 cannot work, 1 goes on: ") == 1
    assert plane.events_of("draining") == []
    plane.assign(**assignment(stack, 3, model=OTHER))
    assert serving(agent, 3)["next"] is None
    assert served_model(agent) == OTHER
    assert [event["data"]["reason"] for event in plane.events_of("draining")] == ["assignment_changed"]
    assert [event["data"]["generation"] for event in plane.events_of("assignment_accepted")] == [1, 3]
    assert plane.wait_for_event("ready", 10, after=1)["data"]["generation"] == 3


def test_one_that_cannot_work_now_is_tried_again_meanwhile(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    elsewhere = assignment(stack, 2, model=OTHER)
    elsewhere["r2"]["endpoint"] = f"http://127.0.0.1:{free_port()}"
    plane.assign(**elsewhere)
    assert following(agent, "retrying")["failure"]["class"] == "endpoint_unreachable"
    plane.wait_for_event("failed", STARTS_WITHIN, after=1)
    assert served_model(agent) == MODEL
    # Taken back: what runs is wanted after all, under a new generation, which starts it anew.
    plane.assign(**assignment(stack, 3))
    assert serving(agent, 3)["next"] is None
    assert served_model(agent) == MODEL


def test_load_is_given_up_only_for_one_that_is_proved(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(speed=10.0 / SECONDS_OF_LOAD)
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "loading")
    plane.assign(**missing(stack, 2))
    following(agent, "refused")
    assert serving(agent, 1)["engine"]["restarts"] == 0
    stand_in.behave()
    plane.assign(**assignment(stack, 3, model=OTHER))
    serving(agent, 3)


def test_load_is_given_up_at_once_for_one_that_is(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, stand_in: SimulatedEngine
) -> None:
    stand_in.behave(speed=0.5)
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "loading")
    stand_in.behave()
    plane.assign(**assignment(stack, 2, model=OTHER))
    serving(agent, 2)
    assert served_model(agent) == OTHER
    assert plane.wait_for_event("ready", 10)["data"]["generation"] == 2
