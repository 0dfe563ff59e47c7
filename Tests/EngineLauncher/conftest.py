"""A fresh installation for each test; nothing of it is left running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic import procfs
from crosslogic.waiting import wait_for
from starts import Installation


def processes_of(folder: Path) -> list[procfs.Process]:
    return [process for process in procfs.processes() if str(folder) in process.command]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    yield Installation(tmp_path)
    wait_for("every process of the test is gone", lambda: not processes_of(tmp_path), 20)


@pytest.fixture
def recorded(installation: Installation) -> Installation:
    """One that has seen a start, and knows its modules."""
    installation.start()
    return installation
