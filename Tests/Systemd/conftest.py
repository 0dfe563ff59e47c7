"""What the tests in a real systemd stand on: the release binaries, a store with the model, machines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crosslogic import engine as engines
from crosslogic import install, swift
from crosslogic.console import Console
from crosslogic.stack import Stack
from node import InstalledStandIn, Node, stand_in
from scripted_control_plane import ScriptedControlPlane

SPEED = 20.0

MakeNode = Callable[..., Node]


@pytest.fixture(scope="session")
def console() -> Console:
    return Console()


@pytest.fixture(scope="session")
def binaries(console: Console) -> Path:
    return swift.release_binaries(console)


@pytest.fixture(scope="session")
def rclone(console: Console) -> Path:
    return install.ensure_tools(console) / "bin" / "rclone"


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest, binaries: Path, rclone: Path) -> Iterator[Stack]:
    failed_before = request.session.testsfailed
    with Stack(binaries, rclone, "systemd") as stack:
        stack.start_store()
        yield stack
        if request.session.testsfailed > failed_before:
            stack.keep_folder = True
            print(f"\nlogs of what failed: {stack.folder}")


@pytest.fixture
def plane() -> Iterator[ScriptedControlPlane]:
    plane = ScriptedControlPlane()
    yield plane
    plane.close()


@pytest.fixture
def engine(stack: Stack) -> InstalledStandIn:
    return stand_in(stack, SPEED)


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
