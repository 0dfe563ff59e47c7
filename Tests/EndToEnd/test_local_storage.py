"""The engine's log is no file, or the disk is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic.stack import Stack
from scripted_control_plane import ScriptedControlPlane
from support import RETRIES_WITHIN, STARTS_WITHIN, StartAgent, assignment


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
