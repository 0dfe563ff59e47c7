"""What every test in Python stands on: tools, release binaries, a store with the model, a scripted control plane."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic import install, swift, waiting
from crosslogic.console import Console
from crosslogic.stack import Stack
from scripted_control_plane import ScriptedControlPlane


def pytest_configure() -> None:
    # A shell's job in the background ignores Ctrl-C, and so would whatever the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    waiting.patience = 2


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
    """One per file: an S3 server with the model in it. Its end takes everything with it that a test left running."""
    failed_before = request.session.testsfailed
    with Stack(binaries, rclone, request.path.parent.name.lower()) as stack:
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
