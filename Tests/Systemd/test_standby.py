"""The engine's unit as one that waits: parked before the assignment is known, and the engine from its go on."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from asking import asking
from crosslogic.metadata import iso
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, SERVING, SPARE, InstalledStandIn, Node, another_agent, assignment
from scripted_control_plane import ScriptedControlPlane

pytestmark = pytest.mark.parametrize("start_mode", ["standby"], indirect=True)

SOCKET = "/run/crosslogic-engine/standby.sock"


def how_it_was_started(beat: dict[str, Any]) -> str:
    return next(phase["detail"] for phase in beat["phases"] if phase["name"] == "engine_import")


def oom_scores(node: Node) -> set[int]:
    files = [f"/proc/{pid}/oom_score_adj" for pid in node.engine_pids()]
    return {int(line) for line in node.machine.run("cat", *files).out.split()}


def serves_with_another(node: Node, stack: Stack, plane: ScriptedControlPlane) -> tuple[int, int]:
    """Pids of the engine, and of the one that waits beside it."""
    plane.assign(**assignment(stack))
    node.start()
    pid = node.wait_for_state("serving")["engine"]["pid"]
    assert pid == node.main_pid(ENGINE)
    return pid, node.parked(SPARE)


def test_it_is_parked_without_secrets_and_the_go_makes_it_the_engine(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.start()
    pid = node.parked()
    assert wait_for("a heartbeat", node.heartbeat, 10)["engine"] is None
    assert oom_scores(node) == {1000}
    environment = node.machine.run("cat", f"/proc/{pid}/environ").out
    assert stack.store.secret_key not in environment
    assert node.machine.run("stat", "-c", "%U %a", "/run/crosslogic-engine").out.split() == ["vllm", "700"]
    plane.assign(**assignment(stack))
    beat = node.wait_for_state("serving")
    assert beat["engine"]["pid"] == pid == node.main_pid(ENGINE)
    assert how_it_was_started(beat).startswith("standby")
    assert oom_scores(node) == {300}


def test_an_agent_that_comes_back_goes_on_with_what_was_parked_before_its_assignment(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.start()
    pid = node.parked()
    plane.assign(**assignment(stack))
    before = node.wait_for_state("serving")
    node.systemctl("restart", AGENT)
    after = node.wait_for_state("serving")
    assert after["engine"]["pid"] == before["engine"]["pid"] == pid
    assert after["timeline"][:3] == before["timeline"][:3]


def test_an_agent_that_comes_back_while_it_waits_parks_its_own(node: Node) -> None:
    node.start()
    first = node.parked()
    node.signal_agent("SIGKILL")
    assert node.parked(other_than=first) != first


def crash(node: Node, unit: str, seconds: float = 30) -> dict[str, Any]:
    """The heartbeat once the model serves again."""
    pid = node.main_pid(unit)
    node.systemctl("kill", "--kill-who=main", "--signal=SIGKILL", unit)
    return node.wait_for_engine(other_than=pid, seconds=seconds)


def test_after_a_crash_the_one_beside_it_is_the_engine_and_another_waits_in_the_unit_that_is_free(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    _, second = serves_with_another(node, stack, plane)
    assert stack.store.secret_key not in node.machine.run("cat", f"/proc/{second}/environ").out
    beat = crash(node, ENGINE)
    assert beat["engine"]["pid"] == second == node.main_pid(SPARE)
    assert how_it_was_started(beat).startswith("standby")
    wait_for("the target", lambda: node.is_active(SERVING), 5)
    third = node.parked(ENGINE)
    assert crash(node, SPARE)["engine"]["pid"] == third == node.main_pid(ENGINE)


def test_an_agent_that_comes_back_goes_on_with_an_engine_that_has_taken_over(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    _, second = serves_with_another(node, stack, plane)
    before = crash(node, ENGINE)
    third = node.parked(ENGINE)
    node.systemctl("restart", AGENT)
    after = node.wait_for_state("serving")
    assert after["engine"]["pid"] == before["engine"]["pid"] == second
    assert after["timeline"][:3] == before["timeline"][:3]
    assert node.parked(ENGINE, other_than=third)
    node.systemctl("stop", AGENT)
    for unit in (ENGINE, SPARE):
        assert node.engine_pids(unit) == []


def test_the_end_of_one_that_waits_changes_nothing_for_the_engine(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    pid, beside = serves_with_another(node, stack, plane)
    wait_for("the target", lambda: node.is_active(SERVING), 5)
    node.systemctl("kill", "--kill-who=main", "--signal=SIGKILL", SPARE)
    wait_for("nothing of it is left", lambda: not node.is_active(SPARE) and not node.engine_pids(SPARE), 10)
    assert node.is_active(SERVING)
    assert node.wait_for_state("serving")["engine"]["pid"] == pid
    # The next start does not rely on it.
    assert crash(node, ENGINE, 60)["engine"]["pid"] not in (pid, beside)
    assert plane.events_of("failed")[-1]["data"]["failure"]["signal"] == 9


def test_an_agent_that_was_killed_goes_on_with_the_engine_and_parks_its_own_beside_it(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    pid, beside = serves_with_another(node, stack, plane)
    agent = node.main_pid(AGENT)
    node.signal_agent("KILL")
    another_agent(node, agent)
    assert node.wait_for_state("serving")["engine"]["pid"] == pid
    assert node.parked(SPARE, other_than=beside) != beside
    assert len(plane.events_of("ready")) == 1


def test_memory_is_given_back_once_the_end_of_the_machine_is_announced_and_no_later_agent_takes_it(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    engine.behave(seconds_per_token=0.05)
    serves_with_another(node, stack, plane)
    # Fifteen seconds of work, so that the drain outlives an agent.
    with asking(node, tokens=300) as answer:
        plane.assign(**assignment(stack), end={"at": iso(time.time() + 30), "kind": "terminate"})
        plane.wait_for_event("preemption", 5)
        wait_for("none waits", lambda: not node.is_active(SPARE) and not node.engine_pids(SPARE), 10)
        agent = node.main_pid(AGENT)
        node.signal_agent("KILL")
        another_agent(node, agent)
        assert not answer.done()
        assert answer.result().status == 200
    node.wait_for_state("stopped", 20)
    assert node.machine.property(SPARE, "NRestarts") == "0"
    assert node.machine.property(SPARE, "ActiveState") in ("inactive", "failed")
    starts = node.machine.journal("-u", SPARE, "--output=cat").count("Started ")
    assert starts == 1


@pytest.mark.parametrize("is_serving", [False, True])
def test_an_agent_that_is_not_to_have_one_wait_gives_back_the_memory_of_an_earlier_agents(
    node: Node, stack: Stack, plane: ScriptedControlPlane, is_serving: bool
) -> None:
    if is_serving:
        engine, _ = serves_with_another(node, stack, plane)
    else:
        node.start()
        node.parked()
    waits = SPARE if is_serving else ENGINE
    node.configure(CROSSLOGIC_ENGINE_START="plain")
    agent = node.main_pid(AGENT)
    node.signal_agent("KILL")
    another_agent(node, agent)
    wait_for("none waits", lambda: not node.is_active(waits) and not node.engine_pids(waits), 10)
    if is_serving:
        assert node.wait_for_state("serving")["engine"]["pid"] == engine


def test_stopping_the_agent_ends_what_waits(node: Node) -> None:
    node.start()
    node.parked()
    node.systemctl("stop", AGENT)
    assert not node.is_active(ENGINE)
    assert node.engine_pids() == []


def test_a_go_that_is_refused_leads_to_a_start_of_its_own(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.start()
    pid = node.parked()
    node.machine.run("rm", SOCKET)
    plane.assign(**assignment(stack))
    beat = node.wait_for_state("serving", 60)
    assert beat["engine"]["pid"] != pid
    assert re.fullmatch(
        r"preload, .*, not standby, because .*connect: No such file or directory", how_it_was_started(beat)
    )
