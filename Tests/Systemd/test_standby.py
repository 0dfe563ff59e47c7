"""The engine's unit as one that waits: parked before the assignment is known, and the engine from its go on."""

from __future__ import annotations

import pytest
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, Node, assignment
from scripted_control_plane import ScriptedControlPlane

pytestmark = pytest.mark.parametrize("start_mode", ["standby"], indirect=True)

SOCKET = "/run/crosslogic-engine/standby.sock"


def parked(node: Node, other_than: int = 0) -> int:
    """Pid of the engine that waits, once its fork server is beside it."""

    def look() -> int:
        pid = node.main_pid(ENGINE)
        is_there = pid not in (0, other_than) and len(node.engine_pids()) > 1
        return pid if is_there and node.machine.run("test", "-S", SOCKET, check=False).code == 0 else 0

    return wait_for("an engine that waits", look, 20)


def test_it_is_parked_without_secrets_and_the_go_makes_it_the_engine(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.start()
    pid = parked(node)
    assert (node.heartbeat() or {})["engine"] is None
    environment = node.machine.run("cat", f"/proc/{pid}/environ").out
    assert stack.store.secret_key not in environment
    assert node.machine.run("stat", "-c", "%U %a", "/run/crosslogic-engine").out.split() == ["vllm", "700"]
    plane.assign(**assignment(stack))
    beat = node.wait_for_state("serving")
    assert beat["engine"]["pid"] == pid == node.main_pid(ENGINE)
    detail = next(phase["detail"] for phase in beat["phases"] if phase["name"] == "engine_import")
    assert detail.startswith("standby, ")


def test_an_agent_that_comes_back_goes_on_with_what_was_parked_before_its_assignment(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.start()
    pid = parked(node)
    plane.assign(**assignment(stack))
    before = node.wait_for_state("serving")
    node.systemctl("restart", AGENT)
    after = node.wait_for_state("serving")
    assert after["engine"]["pid"] == before["engine"]["pid"] == pid
    assert after["timeline"][:3] == before["timeline"][:3]


def test_an_agent_that_comes_back_while_it_waits_parks_its_own(node: Node) -> None:
    node.start()
    first = parked(node)
    node.signal_agent("SIGKILL")
    assert parked(node, other_than=first) != first


def test_after_a_crash_the_next_one_is_parked_while_the_agent_waits_to_try_again(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**assignment(stack))
    node.start()
    first = node.wait_for_state("serving")["engine"]["pid"]
    node.systemctl("kill", "--kill-who=main", "--signal=SIGKILL", ENGINE)
    node.wait_for_state("failed")
    beat = node.wait_for_state("serving")
    assert beat["engine"]["pid"] != first
    detail = next(phase["detail"] for phase in beat["phases"] if phase["name"] == "engine_import")
    assert detail.startswith("standby, ")


def test_stopping_the_agent_ends_what_waits(node: Node) -> None:
    node.start()
    parked(node)
    node.systemctl("stop", AGENT)
    assert not node.is_active(ENGINE)
    assert node.engine_pids() == []


def test_a_go_that_is_refused_leads_to_a_start_of_its_own(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.start()
    pid = parked(node)
    node.machine.run("rm", SOCKET)
    plane.assign(**assignment(stack))
    beat = node.wait_for_state("serving", 60)
    assert beat["engine"]["pid"] != pid
    detail = next(phase["detail"] for phase in beat["phases"] if phase["name"] == "engine_import")
    assert detail.startswith("preload, ")
