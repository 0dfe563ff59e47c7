"""What the tests of the operator's scripts stand on: a real S3 server, a bucket for each test, the scripts."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic.canaries import Canaries
from crosslogic.console import Console
from crosslogic.operator import environment
from workbench import Server, Workbench


@pytest.fixture(scope="session", autouse=True)
def _operator_environment() -> None:
    """Before the first test, so that no test's time limit holds an installation."""
    environment.ensure(Console())


@pytest.fixture(scope="module")
def server(rclone: Path) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="crosslogic-operator-"))
    server = Server(rclone, folder, Canaries())
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def bench(server: Server, tmp_path: Path) -> Iterator[Workbench]:
    workbench = Workbench(server, tmp_path)
    yield workbench
    workbench.close()
    assert workbench.leaks() == []
