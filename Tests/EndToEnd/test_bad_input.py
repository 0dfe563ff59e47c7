"""What the world does wrong, and what the agent makes of it. With the stand-in: it is about the agent alone."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crosslogic import http, procfs
from crosslogic.agent import Agent
from crosslogic.engine import SimulatedEngine
from crosslogic.model import MODEL
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack, free_port
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane

SPEED = 20.0
STARTS_WITHIN = 20
RETRIES_WITHIN = 60

StartAgent = Callable[..., Agent]


@pytest.fixture
def plane() -> Iterator[ScriptedControlPlane]:
    plane = ScriptedControlPlane()
    yield plane
    plane.close()


@pytest.fixture
def engine(stack: Stack) -> SimulatedEngine:
    return stack.simulated_engine(SPEED)


@pytest.fixture
def start_agent(stack: Stack, engine: SimulatedEngine) -> Iterator[StartAgent]:
    """Starts agents; they are stopped at the end, each with whatever engine it has."""
    agents: list[Agent] = []

    def start(url: str, **settings: str) -> Agent:
        node = f"node-{len(stack.agents) + 1}"
        agent = stack.add_agent(engine, node, f"token-of-{node}", url=url, **settings)
        agents.append(agent)
        agent.start()
        return agent

    yield start
    for agent in agents:
        agent.running.stop(30)
        assert stack.left_over(agent) == []


def assignment(stack: Stack, generation: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "generation": generation,
        "model": MODEL,
        "model_uri": f"s3://{BUCKET}/{MODEL}",
        "r2": {
            "endpoint": stack.store.endpoint,
            "bucket": BUCKET,
            "access_key_id": stack.store.access_key,
            "secret_access_key": stack.store.secret_key,
        },
        **changes,
    }


def state(agent: Agent) -> str:
    return agent.heartbeat()["state"]


def wait_for_state(agent: Agent, wanted: str, seconds: float = STARTS_WITHIN) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        answer = http.try_get(agent.heartbeat_url + "/v1/heartbeat")
        return answer.json if answer and answer.json["state"] == wanted else None

    return wait_for(f"state {wanted}", look, seconds, agent.running.why_gone)


# MARK: the control plane


@pytest.mark.parametrize("mood", ["error", "unauthorized", "html", "half", "slow"])
def test_waits_for_a_control_plane_that_misbehaves(stack: Stack, start_agent: StartAgent, mood: str) -> None:
    plane = ScriptedControlPlane(mood)
    try:
        agent = start_agent(plane.url)
        wanted = 1 if mood == "slow" else 4
        wait_for(f"{wanted} attempts", lambda: len(gets(plane)) >= wanted, RETRIES_WITHIN, agent.running.why_gone)
        assert state(agent) in {"booted", "waiting"}
        if mood != "slow":
            assert_backed_off([asked.at for asked in gets(plane)])
            assert_said_once(agent)
        plane.be("well")
        plane.assign(**assignment(stack))
        wait_for_state(agent, "serving", RETRIES_WITHIN)
    finally:
        plane.close()


def test_waits_for_a_control_plane_that_is_down(stack: Stack, start_agent: StartAgent) -> None:
    port = free_port()
    agent = start_agent(f"http://127.0.0.1:{port}")
    beat = wait_for(
        "the heartbeat says so",
        lambda: next(
            (b for b in [agent.heartbeat()] if not b["control_plane"]["reachable"] and b["control_plane"]["error"]),
            None,
        ),
        STARTS_WITHIN,
        agent.running.why_gone,
    )
    assert beat["state"] in {"booted", "waiting"}
    plane = ScriptedControlPlane(port=port)
    try:
        plane.assign(**assignment(stack))
        wait_for_state(agent, "serving", RETRIES_WITHIN)
        assert_said_once(agent)
    finally:
        plane.close()


def gets(plane: ScriptedControlPlane) -> list[Any]:
    return [asked for asked in plane.asked if asked.method == "GET"]


def assert_backed_off(times: list[float]) -> None:
    """Pauses between attempts, and no two alike: a fleet must not come back in step."""
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(pause > 0.05 for pause in pauses)
    assert len({round(pause, 3) for pause in pauses}) == len(pauses)


def assert_said_once(agent: Agent) -> None:
    """Once in the log and once in STATUS, however many attempts there were."""
    complaints = [
        line for line in agent.running.text().splitlines() if "control plane" in line and "heartbeat" not in line
    ]
    assert len(complaints) == len(set(complaints))
    assert agent.notify
    statuses = [line for line in agent.notify.status_lines if "control plane" in line]
    assert statuses
    assert all(earlier != later for earlier, later in itertools.pairwise(statuses))


# MARK: the assignment


def test_impossible_assignment_is_rejected_with_every_fault(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    agent = start_agent(plane.url)
    plane.assign(**assignment(stack, streamer_concurrency=-1, gpu_memory_utilization=7, dtype="float99"))
    rejected = plane.wait_for_event("assignment_rejected", STARTS_WITHIN)
    faults = {fault["field"] for fault in rejected["data"]["faults"]}
    assert faults == {"streamer_concurrency", "gpu_memory_utilization", "dtype"}
    assert state(agent) == "waiting"
    plane.assign(**assignment(stack, generation=2))
    assert wait_for_state(agent, "serving")["generation"] == 2


def test_bad_assignment_leaves_the_good_one_serving(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    plane.assign(**assignment(stack, generation=2, streamer_memory_limit="lots"))
    rejected = plane.wait_for_event("assignment_rejected", STARTS_WITHIN)
    assert [fault["field"] for fault in rejected["data"]["faults"]] == ["streamer_memory_limit"]
    beat = agent.heartbeat()
    assert (beat["state"], beat["generation"]) == ("serving", 1)


# MARK: settings


def test_bad_settings_are_all_named_and_end_with_78(binaries: Path, tmp_path: Path) -> None:
    settings = tmp_path / "node-agent.env"
    settings.write_text("CROSSLOGIC_CONTROL_PLANE_URL=not a url\nCROSSLOGIC_ENGINE_PORT=99999\n")
    result = subprocess.run(
        [binaries / "crosslogic-node-agent", "run", "--env-file", settings],
        env={"PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert result.returncode == 78
    for name in (
        "CROSSLOGIC_CONTROL_PLANE_URL", "CROSSLOGIC_ENGINE_PORT", "CROSSLOGIC_NODE_ID", "CROSSLOGIC_NODE_TOKEN"
    ):  # fmt: skip
        assert name in result.stderr


# MARK: the engine


def test_missing_engine_is_named(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    plane.assign(**assignment(stack))
    start_agent(plane.url, CROSSLOGIC_ENGINE="/nowhere/bin/vllm")
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == "engine_missing"
    assert "/nowhere/bin/vllm" in failure["message"]


def test_engine_without_the_right_to_execute_is_named(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, tmp_path: Path
) -> None:
    path = tmp_path / "vllm"
    path.write_text("#!/bin/sh\n")
    plane.assign(**assignment(stack))
    start_agent(plane.url, CROSSLOGIC_ENGINE=str(path))
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == "engine_missing"
    assert str(path) in failure["message"]


def test_stranger_on_the_port_is_named_and_never_ready(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    # A server that would answer /health and completions with 200, like an old vLLM.
    stranger = ScriptedControlPlane()
    try:
        plane.assign(**assignment(stack))
        agent = start_agent(plane.url, CROSSLOGIC_ENGINE_PORT=str(stranger.port))
        failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
        assert failure["class"] == "port_in_use"
        assert str(os.getpid()) in failure["message"]
        assert agent.notify
        assert agent.notify.first("READY", "1") is None
        assert plane.events_of("ready") == []
    finally:
        agent.running.stop(30)
        stranger.close()


def test_dead_engine_with_exit_code_0_is_a_failure_all_the_same(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, engine: SimulatedEngine
) -> None:
    engine.behave(exit_after_death=0)
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    kill_process(agent, "VLLM::Worker")
    assert plane.wait_for_event("failed", 5)["data"]["failure"]["class"] == "engine_died"
    plane.wait_for_event("ready", STARTS_WITHIN, after=1)


def test_killed_api_server_takes_its_orphans_with_it(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    before = engine_processes(agent)
    main = agent.heartbeat()["engine"]["pid"]
    os.kill(main, signal.SIGKILL)
    failed = plane.wait_for_event("failed", 5)["data"]["failure"]
    assert failed["signal"] == signal.SIGKILL
    plane.wait_for_event("ready", STARTS_WITHIN, after=1)
    assert [process for process in before if procfs.is_running(process.pid)] == []


def test_killed_while_it_loads_is_told_and_tried_again(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, engine: SimulatedEngine
) -> None:
    engine.behave(die_at="Starting to load model")
    plane.assign(**assignment(stack))
    start_agent(plane.url)
    assert plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]["class"] == "engine_died"
    engine.behave()
    plane.wait_for_event("ready", RETRIES_WITHIN)


@pytest.mark.parametrize(
    ("transcript", "wanted"), [("wrong-secret", "credentials_rejected"), ("missing-model", "model_missing")]
)
def test_cause_in_the_log_becomes_the_class(
    stack: Stack,
    plane: ScriptedControlPlane,
    start_agent: StartAgent,
    engine: SimulatedEngine,
    transcript: str,
    wanted: str,
) -> None:
    engine.behave(transcript=engine.transcript(transcript))
    plane.assign(**assignment(stack))
    start_agent(plane.url)
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == wanted
    assert failure["exit_code"] == 1
    assert failure["evidence"]
    assert failure["remedy"]


def test_healthy_but_mute_engine_is_never_ready(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, engine: SimulatedEngine
) -> None:
    engine.behave(completions=500)
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for("health_ok", lambda: "health_ok" in [m["phase"] for m in agent.timeline()["timeline"]], STARTS_WITHIN)
    failure = plane.wait_for_event("failed", RETRIES_WITHIN)["data"]["failure"]
    assert failure["class"] == "canary_failed"
    assert agent.notify
    assert agent.notify.first("READY", "1") is None


# MARK: stopping


def test_sigterm_while_it_loads_leaves_nothing(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    """The engine loses the first SIGTERM of its start, so one is not enough."""
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for("EngineCore", lambda: "VLLM::EngineCore" in [p.title for p in engine_processes(agent)], STARTS_WITHIN)
    agent.running.send(signal.SIGTERM)
    assert agent.running.wait(30) == 0
    assert stack.left_over(agent) == []


def test_engine_deaf_to_sigterm_is_killed(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, engine: SimulatedEngine
) -> None:
    engine.behave(sigterm="never")
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url, CROSSLOGIC_DRAIN_TIMEOUT="1")
    wait_for_state(agent, "serving")
    agent.running.send(signal.SIGTERM)
    assert agent.running.wait(40) == 0
    assert stack.left_over(agent) == []


def test_request_in_flight_is_drained(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, engine: SimulatedEngine
) -> None:
    engine.behave(seconds_per_token=0.02)
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    body = b'{"model":"%s","prompt":"Hello","max_tokens":100,"stream":true}' % MODEL.encode()
    with socket.create_connection(("127.0.0.1", agent.engine_port)) as client:
        client.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        received = client.recv(65536)
        agent.running.send(signal.SIGTERM)
        while chunk := client.recv(65536):
            received += chunk
    assert received.count(b"data: {") == 100
    assert b'"error"' not in received
    assert received.endswith(b"data: [DONE]\n\n")
    assert agent.running.wait(30) == 0


def test_revoked_node_stops_for_good(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    plane.revoke()
    assert agent.running.wait(30) == 0
    assert stack.left_over(agent) == []


# MARK: the engine's log and the disk


@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_log_that_is_no_file_is_refused(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "vllm.log"
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "directory":
        path.mkdir()
    else:
        os.mkfifo(path)
    plane.assign(**assignment(stack))
    start_agent(plane.url, CROSSLOGIC_ENGINE_LOG=str(path))
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == "engine_log"
    assert str(path) in failure["message"]
    assert victim.read_text() == "precious\n"


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with every page taken."""
    folder = tmp_path / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=True)
    (folder / "ballast").write_bytes(bytes(64 << 10))
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a full disk takes root")
def test_full_disk_is_said_and_nothing_is_half_written(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, full_disk: Path
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url, CROSSLOGIC_RUNTIME_DIR=str(full_disk))
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == "local_storage"
    assert "engine." in failure["message"]
    assert "engine.env" not in [path.name for path in full_disk.iterdir()]
    assert not agent.running.has_exited
    (full_disk / "ballast").unlink()
    plane.wait_for_event("ready", RETRIES_WITHIN)


def engine_processes(agent: Agent) -> list[procfs.Process]:
    return [p for p in procfs.writing_below(agent.folder) if p.session != agent.running.pid]


def kill_process(agent: Agent, title: str) -> None:
    os.kill(next(p.pid for p in engine_processes(agent) if p.title == title), signal.SIGKILL)
