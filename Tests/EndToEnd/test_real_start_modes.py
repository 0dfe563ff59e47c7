"""The engine launcher with the real vLLM: what its stand-in cannot know."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crosslogic import engine as engines
from crosslogic import http, install, launchable, procfs
from crosslogic.agent import Agent
from crosslogic.console import Console
from crosslogic.engine import START_MODES, Engine
from crosslogic.model import MODEL
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import assignment, wait_for_state

pytestmark = pytest.mark.real

PROMPTS = ["the dog reads", "a green river", "over seven stones", "why"]
PARKS_WITHIN = 240
KEPT_WITHIN = 240

StartReal = Callable[..., Agent]

given: dict[str, list[str]] = {}
"""The model's answers, by start mode."""


@pytest.fixture(scope="module")
def engine(console: Console) -> Engine:
    """Its modules are known, as they are on a node from the installation on."""
    engine = engines.real(install.ensure_engine(console))
    launchable.record_at_installation(engine.executable)
    return engine


@pytest.fixture
def start(stack: Stack, engine: Engine, plane: ScriptedControlPlane) -> Iterator[StartReal]:
    agents: list[Agent] = []

    def start(mode: str, launcher: Path | None = None, **settings: str) -> Agent:
        chosen = {
            "CROSSLOGIC_ENGINE_START": mode,
            "CROSSLOGIC_ENGINE_LAUNCHER": str(launcher or launchable.launcher()),
            # All tests use one cache: a start is from a checkpoint where that is what it is about.
            "CROSSLOGIC_CHECKPOINT": "off",
            **settings,
        }
        agent = stack.add_agent(engine, f"node-{mode}", "token", url=plane.url, **chosen)
        agents.append(agent)
        agent.start()
        return agent

    yield start
    for agent in agents:
        stop(agent, stack)


def stop(agent: Agent, stack: Stack) -> None:
    sessions = {process.session for process in procfs.processes() if belongs(process, agent)}
    agent.running.stop(60)
    left = [process for session in sessions for process in procfs.of_session(session)]
    assert left == []
    assert stack.left_over(agent) == []


def belongs(process: procfs.Process, agent: Agent) -> bool:
    """Descendants of the agent: each engine, serving or waiting, leads a session of its own."""
    return process.parent == agent.running.pid


def serve(agent: Agent, stack: Stack, plane: ScriptedControlPlane) -> dict[str, Any]:
    plane.assign(**assignment(stack))
    return wait_for_state(agent, "serving", agent.engine.start_seconds)


def detail(beat: dict[str, Any], phase: str) -> str:
    """Of all its parts: what is said meanwhile may divide a phase."""
    return "; ".join(part["detail"] for part in beat["phases"] if part["name"] == phase and part["detail"])


def greedy_answers(agent: Agent) -> list[str]:
    answers = []
    for prompt in PROMPTS:
        body = {"model": MODEL, "prompt": prompt, "max_tokens": 16, "temperature": 0}
        answer = http.call("POST", agent.engine_url + "/v1/completions", body, seconds=60)
        assert answer.status == 200, answer.text
        answers.append(answer.json["choices"][0]["text"])
    return answers


def park(agent: Agent) -> int:
    """Pid of an engine that waits, with its fork server."""

    def look() -> int | None:
        waits = (p for p in procfs.processes() if " park --vllm " in p.command and str(agent.runtime) in p.command)
        return next((p.pid for p in waits if len(procfs.of_session(p.pid)) > 1), None)

    return wait_for("an engine that waits", look, PARKS_WITHIN, agent.running.why_gone)


@pytest.mark.parametrize("mode", START_MODES)
def test_each_mode_serves_the_same_answers(
    mode: str, stack: Stack, plane: ScriptedControlPlane, start: StartReal
) -> None:
    agent = start(mode)
    parked = park(agent) if mode == "standby" else None
    beat = serve(agent, stack, plane)
    assert parked in (None, beat["engine"]["pid"])
    assert detail(beat, "engine_import").startswith("" if mode == "plain" else f"{mode}, ")
    assert "spawned" not in detail(beat, "engine_core_spawn")
    given[mode] = greedy_answers(agent)
    assert all(given[mode])
    assert given[mode] == next(iter(given.values()))


def leave_checkpoint(agent: Agent) -> None:
    """By its idle fork server."""
    records = Path(agent.settings["CROSSLOGIC_CACHE_DIR"]) / "launcher"
    failed = records / "checkpoint.failed"

    def why_none() -> str | None:
        return failed.read_text() if failed.exists() else agent.running.why_gone()

    wait_for("a checkpoint", (records / "checkpoint").exists, KEPT_WITHIN, why_none)


def forget_checkpoint() -> None:
    """Of whoever has used these caches before."""
    for path in (engines.cache_folder() / "launcher").glob("checkpoint*"):
        path.unlink()


def test_an_engine_that_is_restored_from_a_checkpoint_serves_the_same_answers(
    stack: Stack, plane: ScriptedControlPlane, start: StartReal
) -> None:
    if "plain" not in given:
        plain = start("plain")
        serve(plain, stack, plane)
        given["plain"] = greedy_answers(plain)
        stop(plain, stack)
        plane.assignment = None
    forget_checkpoint()
    agent = start("standby", CROSSLOGIC_CHECKPOINT="0.2")
    leave_checkpoint(agent)
    stop(agent, stack)
    # The next one's address is the first that its log names.
    agent.log.unlink()
    agent.start()
    parked = park(agent)
    beat = serve(agent, stack, plane)
    assert beat["engine"]["pid"] == parked
    assert detail(beat, "engine_import").startswith("standby restored from a checkpoint, "), beat["phases"]
    assert "spawned" not in detail(beat, "engine_core_spawn")
    assert greedy_answers(agent) == given["plain"]


def broken(folder: Path, module: str, text: str, instead: str) -> Path:
    """A copy of the launcher with one thing changed."""
    launcher = folder / "engine-launcher"
    shutil.copytree(launchable.launcher(), launcher)
    file = launcher / "crosslogic_launcher" / module
    before = file.read_text()
    assert text in before
    file.write_text(before.replace(text, instead))
    return launcher


def test_a_preload_that_breaks_ends_in_a_plain_start(
    tmp_path: Path, stack: Stack, plane: ScriptedControlPlane, start: StartReal
) -> None:
    launcher = broken(tmp_path, "command.py", "        serve = command()\n", "        raise OSError('on purpose')\n")
    agent = start("preload", launcher)
    beat = serve(agent, stack, plane)
    assert detail(beat, "engine_import").endswith("plain, because OSError: on purpose"), beat["phases"]
    assert all(greedy_answers(agent))


def test_without_its_fork_server_an_engine_that_waited_spawns_its_processes(
    tmp_path: Path, stack: Stack, plane: ScriptedControlPlane, start: StartReal
) -> None:
    launcher = broken(tmp_path, "forkserver.py", "    name_process()\n", "    os._exit(3)\n")
    agent = start("standby", launcher)
    park(agent)
    beat = serve(agent, stack, plane)
    assert detail(beat, "engine_import").startswith("standby, ")
    assert "spawned, because" in detail(beat, "engine_core_spawn"), beat["phases"]
    assert all(greedy_answers(agent))
