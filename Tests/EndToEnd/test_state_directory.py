"""The state directory is full or read-only: serving goes on, it is said, and it is over by itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic.agent import Agent
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import StartAgent, assignment, wait_for_state

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")

RECOVERS_WITHIN = 15
BALLAST = "ballast"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> None:
    with (folder / BALLAST).open("ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(4096))
        except OSError:
            return


def degraded(agent: Agent) -> list[str]:
    return agent.heartbeat()["degraded"]


def reject(stack: Stack, plane: ScriptedControlPlane, generation: int) -> None:
    """Makes the agent say something."""
    plane.assign(**assignment(stack, generation, dtype=f"float{generation}"))


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_state_directory_that_takes_nothing_degrades_and_recovers(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent, small_disk: Path, trouble: str
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url, CROSSLOGIC_STATE_DIR=str(small_disk / "state"))
    wait_for_state(agent, "serving")
    assert degraded(agent) == []
    # What is delivered later would make room for what comes next.
    wait_for("everything is delivered", lambda: agent.heartbeat()["outbox"]["pending"] == 0, 10)
    if trouble == "full":
        fill(small_disk)
        (small_disk / "state" / "outbox" / "reserve").unlink()
        fill(small_disk)
    else:
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    reject(stack, plane, 2)
    plane.wait_for_event("assignment_rejected", 10)
    words = wait_for("it is said", lambda: degraded(agent), 5)
    assert "outbox" in words[0]
    assert agent.heartbeat()["state"] == "serving"
    assert agent.notify
    assert any("degraded" in line for line in agent.notify.status_lines)
    reject(stack, plane, 3)
    plane.wait_for_event("assignment_rejected", 10, after=1)
    if trouble == "full":
        (small_disk / BALLAST).unlink()
    else:
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    wait_for("it is over", lambda: degraded(agent) == [], RECOVERS_WITHIN)
    # On the brink of full, what was delivered makes room for what comes next.
    assert 1 <= agent.running.text().count("the outbox can write to the disk again") <= 4
    assert agent.heartbeat()["state"] == "serving"
    numbers = sorted({int(event["sequence"]) for event in plane.events})
    assert numbers == list(range(1, len(numbers) + 1))
