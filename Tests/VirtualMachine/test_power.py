"""A machine that is really restarted and switched off."""

from __future__ import annotations

from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, SERVING
from scripted_control_plane import ScriptedControlPlane
from virtual_node import VirtualNode, virtual_assignment

SOON = 240


def endings(plane: ScriptedControlPlane) -> list[str]:
    """Between them it is `draining` or `preemption`: whichever comes first, systemd's SIGTERM or logind's word."""
    names = [event["type"].split(".")[-2] for event in plane.events]
    return [name for name in names if name in {"ready", "stopped"}]


def test_reboot_drains_and_begins_anew_and_so_does_the_power_button(
    node: VirtualNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    """The agent is enabled by its package, and started by nobody after the first time. There is no polkit, so that
    logind grants no lock, and the drain is left to the order in which units are stopped."""
    plane.assign(**virtual_assignment(stack))
    node.start()
    plane.wait_for_event("ready", SOON)

    node.machine.reboot()
    assert endings(plane)[:2] == ["ready", "stopped"]
    assert (node.last_exit() or {})["result"] == "success"
    # What was announced for the boot before does not count for this one.
    plane.wait_for_event("ready", SOON, after=1)
    wait_for("the target", lambda: node.is_active(SERVING), 20)
    assert node.machine.property(AGENT, "NRestarts") == "0"

    node.machine.press_power_button()
    node.machine.wait_until_off()
    assert endings(plane)[2:] == ["ready", "stopped"]
