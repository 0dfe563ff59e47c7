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

RECOVERS_WITHIN = 30
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


def let_nothing_in(folder: Path) -> None:
    """Not while a file is being written: the kernel refuses that."""

    def remount() -> bool:
        return subprocess.run(["mount", "-o", "remount,ro", folder], check=False, capture_output=True).returncode == 0

    wait_for("it is read-only", remount, RECOVERS_WITHIN)


def settled(agent: Agent) -> bool:
    """Everything is told: what is stored later meets the trouble."""
    outbox = agent.heartbeat()["outbox"]
    return outbox["pending"] == 0 and outbox["error"] is None


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
    plane.wait_for_event("ready", RECOVERS_WITHIN)
    wait_for("all is told", lambda: settled(agent), RECOVERS_WITHIN)
    assert degraded(agent) == []
    # What is delivered later would make room for what comes next.
    wait_for("everything is delivered", lambda: agent.heartbeat()["outbox"]["pending"] == 0, 10)
    if trouble == "full":
        fill(small_disk)
        (small_disk / "state" / "outbox" / "reserve").unlink()
        fill(small_disk)
    else:
        let_nothing_in(small_disk)
    reject(stack, plane, 2)
    plane.wait_for_event("assignment_rejected", 10)
    words = wait_for("it is said", lambda: degraded(agent), 5)
    assert "outbox" in words[0]
    assert agent.heartbeat()["state"] == "serving"
    notify = agent.notify
    assert notify
    # A datagram of its own, read by a thread of its own.
    wait_for("STATUS says it", lambda: any("degraded" in line for line in notify.status_lines), 5)
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
