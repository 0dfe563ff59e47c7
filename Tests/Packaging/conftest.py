"""What the tests of the package stand on: the package itself, a store with the model, machines to install it on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic import package, roots
from crosslogic.console import Console
from crosslogic.stack import Stack
from node import InstalledStandIn, stand_in
from packaged import PackagedNode, repacked
from scripted_control_plane import ScriptedControlPlane

SPEED = 20.0


@pytest.fixture(scope="session")
def deb(console: Console, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ours, on a shelf of its own."""
    return Path(shutil.copy(package.build(console), tmp_path_factory.mktemp("packages")))


@pytest.fixture(scope="session")
def next_deb(deb: Path) -> Path:
    return repacked(deb, "99.0")


@pytest.fixture
def start_mode(request: pytest.FixtureRequest) -> str | None:
    """How the engine is started; tests that care say so by `in_all_start_modes`. None: as nothing was said about it."""
    return getattr(request, "param", None)


@pytest.fixture(
    params=["this", pytest.param("trixie", marks=pytest.mark.long), pytest.param("sid", marks=pytest.mark.long)]
)
def root(request: pytest.FixtureRequest, console: Console) -> Path:
    """What the machine is booted from: this machine's own root, or a release of Debian."""
    return Path("/") if request.param == "this" else roots.ensure_root(request.param, console)


@pytest.fixture
def engine(stack: Stack, start_mode: str | None, root: Path) -> InstalledStandIn:
    """The launcher's is a Python program with modules recorded here, for the Python that is here."""
    if root == Path("/"):
        return stand_in(stack, SPEED, start_mode)
    if start_mode not in (None, "plain"):
        pytest.skip(f"the Python of {root.name} is another")
    return stand_in(stack, SPEED)


@pytest.fixture
def node(
    stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn, deb: Path, next_deb: Path, root: Path
) -> Iterator[PackagedNode]:
    """Booted, with nothing of ours on it."""
    assert deb.parent == next_deb.parent
    node = PackagedNode(stack, engine, plane.url, deb.parent, root)
    with node.machine:
        yield node
        node.keep_journal()
