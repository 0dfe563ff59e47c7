"""Random secrets, and the search for them wherever another user of the machine may look."""

from __future__ import annotations

from crosslogic.stack import Stack
from node import AGENT, OURS, Node, assignment, in_all_start_modes
from scripted_control_plane import ScriptedControlPlane


@in_all_start_modes
def test_no_secret_is_where_others_can_read(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    callback = node.canaries.new("callback secret")
    plane.assign(**assignment(stack, callback_secret=callback))
    pid = node.start_and_serve()["engine"]["pid"]
    node.systemctl("restart", AGENT)
    node.machine.run("kill", "-KILL", str(pid))
    plane.wait_for_event("failed", 20)
    node.wait_for_state("serving")
    places = {
        "systemctl show": node.systemctl("show", *OURS).out,
        "systemctl status": node.systemctl("status", "--no-pager", "--full", *OURS, check=False).out,
        "journal": node.machine.journal("-o", "export"),
        "command lines": node.machine.shell("cat /proc/[0-9]*/cmdline", check=False).out,
        "readable files": node.machine.shell(
            "runuser -u nobody -- grep -rs . /run/crosslogic /var/lib/crosslogic /var/log/crosslogic /etc/crosslogic",
            check=False,
        ).out,
        "environments": node.machine.shell(
            "runuser -u nobody -- cat /proc/[0-9]*/environ 2>/dev/null", check=False
        ).out,
    }
    assert places["readable files"]
    assert [leak for place, text in places.items() for leak in node.canaries.found_in(place, text)] == []
    # They are where they are used, or the search above proves nothing.
    holders = node.machine.shell("cat /run/crosslogic/handover.json /run/crosslogic/engine.env").out
    assert "callback secret in holders" in node.canaries.found_in("holders", holders)
    modes = node.machine.shell("stat -c %a%U /run/crosslogic/handover.json /run/crosslogic/engine.env").out.split()
    assert modes == ["600crosslogic", "600crosslogic"]
