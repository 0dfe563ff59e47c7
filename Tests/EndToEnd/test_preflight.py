"""What is found out before an engine is executed: by the agent, and by its commands `preflight` and `plan`."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import formatdate, mktime_tz, parsedate_tz
from pathlib import Path
from typing import Any

import pytest
from crosslogic import broken_models, swift
from crosslogic.engine import SimulatedEngine
from crosslogic.model import ensure_model
from crosslogic.ports import free_port
from crosslogic.preflight import WRONG_ASSIGNMENTS, Answer, ask, small_memory_limit, wrong_bucket
from crosslogic.relay import DelayRelay
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from scripted_control_plane import ScriptedControlPlane
from support import STARTS_WITHIN, StartAgent, assignment, wait_for_state

VERDICT_WITHIN = 10.0
"""Seconds from the assignment to the failure."""

STORE_CHECKS = {
    *("endpoint", "clock", "credentials", "bucket", "model"),
    *("weights", "shards", "sizes", "configuration", "tokenizer"),
}


class Commands:
    """`crosslogic-node-agent preflight` and `plan`, with an assignment in a file."""

    def __init__(self, stack: Stack, engine: SimulatedEngine, folder: Path) -> None:
        self.stack = stack
        self.engine = engine
        self.folder = folder

    def __call__(self, command: str, document: Any, *options: str, **settings: str) -> Answer:
        agent = self.stack.binaries / swift.AGENT
        return ask(agent, command, document, self.folder, self.engine, *options, **settings)


@pytest.fixture
def commands(stack: Stack, stand_in: SimulatedEngine, tmp_path: Path) -> Commands:
    return Commands(stack, stand_in, tmp_path)


# The one that the agent mends itself has a test of its own.
FINAL = [
    *((change, failure) for change, failure in WRONG_ASSIGNMENTS.items() if change is not small_memory_limit),
    *broken_models.FATAL.items(),
]


def wanted_for(stack: Stack, change: Callable[[Any], None], scratch: Path) -> dict[str, Any]:
    wanted = assignment(stack)
    if change in WRONG_ASSIGNMENTS:
        change(wanted)
    else:
        wanted["model_uri"] = f"s3://{BUCKET}/{broken_models.upload(stack.store, change, scratch)}"
    return wanted


@pytest.mark.parametrize(("change", "failure"), FINAL, ids=[change.__name__ for change, _ in FINAL])
def test_what_cannot_work_is_final_before_an_engine_is_started(
    stack: Stack,
    plane: ScriptedControlPlane,
    start_agent: StartAgent,
    tmp_path: Path,
    change: Callable[[Any], None],
    failure: str,
) -> None:
    plane.assign(**wanted_for(stack, change, tmp_path))
    agent = start_agent(plane.url)
    data = plane.wait_for_event("failed", STARTS_WITHIN)["data"]
    assert data["failure"]["class"] == failure
    assert data["failure"]["retry"] == "final"
    assert data["preflight"]["verdict"] == "fatal"
    marks = {mark["phase"]: mark["at_s"] for mark in data["timeline"]}
    took = data["monotonic_ns"] / 1e9 - marks["assignment_received"]
    print(f"{change.__name__}: {failure} {took * 1000:.0f} ms after the assignment")
    assert took <= VERDICT_WITHIN
    assert "engine_exec" not in marks
    assert not agent.engine_log.exists()
    assert not (agent.runtime / "engine.env").exists()
    assert wait_for_state(agent, "failed")["preflight"]["verdict"] == "fatal"


def test_memory_limit_is_raised_to_what_the_largest_tensor_needs(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    wanted = assignment(stack)
    small_memory_limit(wanted)
    plane.assign(**wanted)
    agent = start_agent(plane.url)
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert (failure["class"], failure["retry"]) == ("memory_limit_too_small", "retry_changed")
    needed = failure["message"].split("than: ")[1].split()[0]
    wait_for_state(agent, "serving")
    assert f'"memory_limit":{needed}' in (agent.runtime / "engine.argv").read_text().replace("\\", "")


def test_healthy_store_is_told_and_gives_the_bytes_of_the_weights(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.assign(**assignment(stack))
    beat = wait_for_state(start_agent(plane.url), "serving")
    report = beat["preflight"]
    assert report["verdict"] in ("ok", "warn")
    assert {f["level"] for f in report["findings"] if f["check"] in STORE_CHECKS} == {"ok"}
    assert report["weight_bytes"] == sum(file.stat().st_size for file in broken_models.shards(ensure_model()))


@pytest.mark.parametrize(
    ("change", "check"), broken_models.WARNED.items(), ids=[c.__name__ for c in broken_models.WARNED]
)
def test_what_only_costs_time_is_warned_about(
    stack: Stack, commands: Commands, tmp_path: Path, change: Callable[[Path], None], check: str
) -> None:
    answer = commands("preflight", wanted_for(stack, change, tmp_path / "model"), "--json")
    assert answer.code == 0, answer.output
    assert answer.finding(check)["level"] == "warn"


def test_preflight_set_to_warn_lets_the_engine_speak(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, tmp_path: Path
) -> None:
    plane.assign(**wanted_for(stack, broken_models.missing_shard, tmp_path))
    beat = wait_for_state(start_agent(plane.url, CROSSLOGIC_PREFLIGHT="warn"), "serving")
    assert beat["preflight"]["verdict"] == "warn"


def test_preflight_set_to_off_asks_nothing(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    plane.assign(**assignment(stack))
    assert wait_for_state(start_agent(plane.url, CROSSLOGIC_PREFLIGHT="off"), "serving")["preflight"] is None


def test_store_that_is_down_is_tried_again(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    wanted = assignment(stack)
    wanted["r2"]["endpoint"] = f"http://127.0.0.1:{free_port()}"
    plane.assign(**wanted)
    start_agent(plane.url)
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == "endpoint_unreachable"
    assert failure["retry"] == "retry"
    plane.wait_for_event("failed", STARTS_WITHIN, after=1)


def test_clock_that_differs_from_the_stores_is_told(stack: Stack, commands: Commands) -> None:
    def an_hour_later(match: re.Match[bytes]) -> bytes:
        told = parsedate_tz(match[1].decode())
        assert told
        return b"Date: " + formatdate(mktime_tz(told) + 3600, usegmt=True).encode()

    def later(answer: bytes) -> bytes:
        return re.sub(rb"Date: ([^\r\n]+)", an_hour_later, answer, count=1)

    with DelayRelay(stack.store.endpoint, 0, later) as relay:
        wanted = assignment(stack)
        wanted["r2"]["endpoint"] = relay.url
        answer = commands("preflight", wanted, "--json")
    finding = answer.finding("clock")
    assert finding["class"] == "clock_skewed"
    behind = re.search(r"(\d+) s behind", finding["message"])
    # The answer was under way, or waited for a processor.
    assert behind
    assert 3540 <= int(behind[1]) <= 3601


def test_preflight_for_people(stack: Stack, commands: Commands) -> None:
    fine = commands("preflight", assignment(stack))
    assert fine.code == 0, fine.output + fine.complaint
    assert re.search(r"^ok +sizes ", fine.output, re.MULTILINE)
    bad = assignment(stack)
    wrong_bucket(bad)
    refused = commands("preflight", bad)
    assert refused.code == 1
    assert re.search(r"^FATAL +bucket ", refused.output, re.MULTILINE)
    assert "bucket_missing (final)" in refused.output


def test_exit_codes_of_what_cannot_be_asked(stack: Stack, commands: Commands) -> None:
    down = assignment(stack)
    down["r2"]["endpoint"] = f"http://127.0.0.1:{free_port()}"
    assert commands("preflight", down).code == 75
    bad = commands("preflight", {**assignment(stack), "dtype": "int3"})
    assert bad.code == 65
    assert "dtype" in bad.complaint
    assert commands("preflight", assignment(stack), CROSSLOGIC_PREFLIGHT="sometimes").code == 78
    assert commands("plan", assignment(stack), CROSSLOGIC_ENGINE_PORT="none").code == 78


def test_plan_shows_what_would_run_and_no_secret(stack: Stack, commands: Commands) -> None:
    answer = commands("plan", {**assignment(stack), "streamer_concurrency": 17}, "--json")
    assert answer.code == 0, answer.complaint
    plan = answer.document
    environment = plan["environment"]
    assert environment["AWS_ENDPOINT_URL"] == stack.store.endpoint
    assert environment["AWS_SECRET_ACCESS_KEY"] == "<redacted>"
    assert '"concurrency":17' in plan["argv"][plan["argv"].index("--model-loader-extra-config") + 1]
    assert plan["streamer"]["concurrency"] == {
        "value": "17",
        "reason": "given by the assignment or by the node's settings",
    }
    assert environment["RUNAI_STREAMER_CHUNK_BYTESIZE"] == plan["streamer"]["chunk_bytes"]["value"]
    for shown in (answer.output, commands("plan", assignment(stack)).output):
        assert stack.canaries.found_in("plan", shown) == []
