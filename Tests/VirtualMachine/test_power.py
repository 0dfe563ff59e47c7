"""A machine that is really restarted and switched off."""

from __future__ import annotations

from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, SERVING
from scripted_control_plane import ScriptedControlPlane
from virtual_node import VirtualNode, virtual_assignment

SOON = 240


def endings(plane: ScriptedControlPlane) -> list[str]:
    names = [event["type"].split(".")[-2] for event in plane.events]
    return [name for name in names if name in {"ready", "preemption", "draining", "stopped"}]


def test_reboot_drains_and_begins_anew_and_so_does_the_power_button(
    node: VirtualNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    """The agent is enabled by its package, and started by nobody after the first time."""
    plane.assign(**virtual_assignment(stack))
    node.start()
    plane.wait_for_event("ready", SOON)
    locks = node.machine.run("systemd-inhibit", "--list", "--no-pager", "--no-legend").out
    assert "crosslogic" in locks
    assert "delay" in locks

    node.machine.reboot()
    assert endings(plane)[:4] == ["ready", "preemption", "draining", "stopped"]
    assert (node.last_exit() or {})["result"] == "success"
    # What was announced for the boot before does not count for this one.
    plane.wait_for_event("ready", SOON, after=1)
    wait_for("the target", lambda: node.is_active(SERVING), 20)
    assert node.machine.property(AGENT, "NRestarts") == "0"
    assert len(plane.events_of("preemption")) == 1

    node.machine.press_power_button()
    node.machine.wait_until_off()
    assert endings(plane)[4:] == ["ready", "preemption", "draining", "stopped"]
