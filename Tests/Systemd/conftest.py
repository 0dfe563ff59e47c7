"""What the tests in a real systemd stand on: the release binaries, a store with the model, machines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from crosslogic import engine as engines
from crosslogic import install
from crosslogic.console import Console
from crosslogic.stack import Stack
from node import InstalledStandIn, Node, stand_in
from scripted_control_plane import ScriptedControlPlane

SPEED = 20.0

MakeNode = Callable[..., Node]


@pytest.fixture
def start_mode(request: pytest.FixtureRequest) -> str | None:
    """How the engine is started; tests that care say so by `in_all_start_modes`. None: as nothing was said about it."""
    return getattr(request, "param", None)


@pytest.fixture
def engine(stack: Stack, start_mode: str | None) -> InstalledStandIn:
    return stand_in(stack, SPEED, start_mode)


@pytest.fixture
def make_node(stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn) -> Iterator[MakeNode]:
    """Boots machines; each is gone at the end of its test."""
    with contextlib.ExitStack() as machines:

        def make(**settings: str) -> Node:
            node = Node(stack, engine, plane.url, **settings)
            machines.enter_context(node.machine)
            machines.callback(node.keep_logs)
            return node

        yield make


@pytest.fixture
def node(make_node: MakeNode) -> Node:
    return make_node()


@pytest.fixture(scope="module")
def real_engine(console: Console) -> engines.Engine:
    return engines.real(install.ensure_engine(console))
