"""What the end-to-end tests stand on: the release binaries, a store with the model, and an engine of either kind.

The same scenarios run against the real vLLM (marker `real`) and against the stand-in, so the stand-in cannot drift.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from crosslogic import engine as engines
from crosslogic import install
from crosslogic.agent import Agent
from crosslogic.clouds import AWS
from crosslogic.console import Console
from crosslogic.engine import Engine, SimulatedEngine
from crosslogic.model import MODEL
from crosslogic.netns import own_network
from crosslogic.part import Part
from crosslogic.ports import free_port
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from preemption import Serve
from scripted_control_plane import ScriptedControlPlane
from support import StartAgent, assignment, wait_for_state

SIMULATED_SPEED = 10.0

BOTH_ENGINES = ["simulated", pytest.param("real", marks=pytest.mark.real)]


@pytest.fixture(scope="module")
def isolated_stack(binaries: Path, rclone: Path) -> Iterator[Stack]:
    """The same in a network namespace of its own, with the addresses at which clouds put their metadata."""
    with own_network(), Stack(binaries, rclone, "test") as stack:
        stack.start_store()
        yield stack


@pytest.fixture(scope="module", params=BOTH_ENGINES)
def engine(request: pytest.FixtureRequest, stack: Stack, console: Console) -> Engine:
    if request.param == "simulated":
        return stack.simulated_engine(SIMULATED_SPEED)
    return engines.real(install.ensure_engine(console))


@dataclass
class PlainEngine:
    """An engine started by hand, without an agent."""

    part: Part
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class PlainStarter:
    """Starts engines by hand; they end with the stack."""

    def __init__(self, stack: Stack, engine: Engine) -> None:
        self.stack = stack
        self.engine = engine
        self.count = 0

    def __call__(
        self, port: int | None = None, secret_key: str | None = None, model: str = MODEL, extra: tuple[str, ...] = ()
    ) -> PlainEngine:
        self.count += 1
        port = port or free_port()
        store = self.stack.store
        cache = engines.cache_folder() if self.engine.is_real else self.stack.folder
        environment = engines.plain_environment(
            self.engine, store.endpoint, store.access_key, secret_key or store.secret_key, cache
        )
        command = [*engines.plain_command(self.engine, port, model, BUCKET), *extra]
        log = self.stack.folder / f"plain-{self.engine.name}-{self.count}.log"
        return PlainEngine(Part(f"{self.engine.name} vLLM", command, log, environment), port)


@pytest.fixture(scope="module")
def start_plain(stack: Stack, engine: Engine) -> PlainStarter:
    return PlainStarter(stack, engine)


@pytest.fixture
def start_mode(request: pytest.FixtureRequest) -> str | None:
    """How the engine is started; files that care say so by `in_all_start_modes`. None: as nothing was said about it."""
    return getattr(request, "param", None)


@pytest.fixture
def stand_in(stack: Stack, start_mode: str | None) -> SimulatedEngine:
    """For what is about the agent alone; its behaviour can be changed between starts."""
    engine = stack.simulated_engine(2 * SIMULATED_SPEED)
    return engines.launchable(engine, start_mode) if start_mode else engine


@pytest.fixture
def start_agent(stack: Stack, stand_in: SimulatedEngine) -> Iterator[StartAgent]:
    """Starts agents; they are stopped at the end, each with whatever engine it has."""
    agents: list[Agent] = []

    def start(url: str, environment: dict[str, str] | None = None, **settings: str) -> Agent:
        node = f"node-{len(stack.agents) + 1}"
        agent = stack.add_agent(stand_in, node, f"token-of-{node}", url=url, **settings)
        agent.process_environment = environment or {}
        agents.append(agent)
        agent.start()
        return agent

    yield start
    for agent in agents:
        agent.running.stop(30)
        assert stack.left_over(agent) == []


@pytest.fixture
def aws() -> Iterator[AWS]:
    """At its real address: for files whose stack is the isolated one."""
    double = AWS()
    yield double
    double.close()


@pytest.fixture
def serve(stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent) -> Serve:
    def start(cloud: str = "aws", environment: dict[str, str] | None = None) -> Agent:
        plane.assign(**assignment(stack))
        agent = start_agent(plane.url, environment, CROSSLOGIC_CLOUD=cloud)
        wait_for_state(agent, "serving")
        return agent

    return start
