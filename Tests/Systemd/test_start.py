"""A node from its boot to READY, as systemd sees it."""

from __future__ import annotations

from conftest import MakeNode
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, SERVING, InstalledStandIn, Node, assignment
from scripted_control_plane import ScriptedControlPlane


def status_text(node: Node) -> str:
    return node.machine.property(AGENT, "StatusText")


def test_boot_leads_to_ready_and_waits_for_no_model(
    make_node: MakeNode, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    engine.behave(speed=5)
    plane.assign(**assignment(stack))
    # multi-user.target is there before the model is.
    node = make_node(enabled=True)
    assert node.machine.property(AGENT, "ActiveState") == "activating"
    assert not node.is_active(SERVING)
    beat = node.wait_for_state("serving")
    wait_for("the unit is active", lambda: node.is_active(AGENT), 5)
    wait_for("the target is active", lambda: node.is_active(SERVING), 5)
    assert status_text(node).startswith("serving acme/tiny-llama")
    assert beat["engine"]["pid"] == node.main_pid(ENGINE)


def test_status_names_each_phase(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    # As slow as the real one: each phase lasts for more than a look.
    engine.behave(speed=1)
    node.start()
    wait_for("waiting", lambda: status_text(node) == "waiting for an assignment", 10)
    plane.assign(**assignment(stack))
    seen: list[str] = []

    def look() -> bool:
        text = status_text(node)
        if text not in seen:
            seen.append(text)
        return text.startswith("serving")

    wait_for("serving", look, 90)
    for phase in ("engine_config", "engine_core_spawn", "kv_profile"):
        assert any(text.startswith(f"loading acme/tiny-llama: {phase}") for text in seen), seen


def test_load_may_take_longer_than_the_start_timeout(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    engine.behave(speed=2)
    node.drop_in(AGENT, "[Service]\nTimeoutStartSec=6s\n")
    plane.assign(**assignment(stack))
    node.start_and_serve()
    wait_for("the unit is active", lambda: node.is_active(AGENT), 5)
    assert node.machine.property(AGENT, "NRestarts") == "0"


def test_ready_may_mean_the_agent(make_node: MakeNode) -> None:
    node = make_node(CROSSLOGIC_NOTIFY_READY="agent")
    node.start()
    wait_for("the unit is active", lambda: node.is_active(AGENT), 10)
    assert not node.is_active(SERVING)


def test_failure_is_in_the_status(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    engine.behave(transcript=engine.transcript("wrong-secret"))
    plane.assign(**assignment(stack))
    node.start()
    node.wait_for_state("failed")
    wait_for("the class", lambda: "credentials_rejected" in status_text(node), 5)
    assert node.machine.property(AGENT, "StatusErrno") == "13"
    assert node.machine.property(AGENT, "ActiveState") == "activating"


def test_new_assignment_turns_the_target_off_and_on(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    first = node.start_and_serve()["engine"]["pid"]
    wait_for("the target is active", lambda: node.is_active(SERVING), 5)
    plane.assign(**assignment(stack, generation=2))
    wait_for("the target is not active", lambda: not node.is_active(SERVING), 10)
    wait_for("another engine", lambda: (node.heartbeat() or {}).get("generation") == 2, 30)
    assert node.wait_for_state("serving")["engine"]["pid"] != first
    wait_for("the target is active again", lambda: node.is_active(SERVING), 5)


def test_engine_that_cannot_be_executed_is_named(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    """The agent may execute it; the engine's user may not."""
    node.machine.shell("install -D -m 750 -g crosslogic /opt/crosslogic/engine/bin/vllm /opt/closed/bin/vllm")
    node.configure(CROSSLOGIC_ENGINE="/opt/closed/bin/vllm")
    plane.assign(**assignment(stack))
    node.start()
    failure = plane.wait_for_event("failed", 15)["data"]["failure"]
    assert failure["class"] == "engine_missing"
    assert "Permission denied" in node.machine.run("tail", "-n1", "/tmp/vllm.log").out
