"""Random secrets, and the search for them wherever another user of the machine may look."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, OURS, Node, another_agent, assignment, in_all_start_modes
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
        "systemctl show": node.systemctl("show", "--all", *OURS, "*").out,
        "systemctl status": node.systemctl("status", "--no-pager", "--full", *OURS, check=False).out,
        "journal": node.machine.journal("-o", "export"),
        "command lines": node.machine.shell("cat /proc/[0-9]*/cmdline", check=False).out,
        "arguments": node.machine.run("cat", "/run/crosslogic/engine.argv").out,
        "readable files": node.machine.shell(
            "runuser -u nobody -- grep -rs . /run/crosslogic /run/crosslogic-environment /var/lib/crosslogic"
            " /var/log/crosslogic /etc/crosslogic",
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


def cores(node: Node) -> list[Path]:
    """Core dumps on the machine, wherever they are."""
    found = node.machine.shell(
        "find /var /tmp /run /root /home /opt -xdev -name 'core*' -type f -newer /etc/machine-id"
    )
    return [node.machine.path(line) for line in found.out.split()]


def crash_engine(node: Node, plane: ScriptedControlPlane, times: int) -> None:
    pid = node.wait_for_state("serving")["engine"]["pid"]
    node.machine.run("kill", "-SEGV", str(pid))
    wait_for("the crash is told", lambda: len(plane.events_of("failed")) == times, 20)
    assert plane.events_of("failed")[-1]["data"]["failure"]["signal"] == 11


def test_crash_of_the_engine_leaves_no_core_dump(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    if pattern.startswith(("|", "/", "@")):
        pytest.skip(f"core dumps of this machine do not go to the folder of who crashes: {pattern}")
    plane.assign(**assignment(stack))
    node.start()
    crash_engine(node, plane, 1)
    assert cores(node) == []
    # Where somebody wants one, there is one, with the keys in it: else the above would prove nothing.
    node.drop_in(ENGINE, "[Service]\nLimitCORE=infinity\n")
    pid = node.wait_for_state("serving")["engine"]["pid"]
    node.machine.run("kill", "-SEGV", str(pid))
    wait_for("another engine", lambda: node.main_pid(ENGINE) not in (0, pid), 20)
    crash_engine(node, plane, 3)
    dumps = wait_for("a core dump", lambda: cores(node), 10)
    found = node.canaries.found_in("the dump", dumps[0].read_bytes().decode("latin-1"))
    assert "R2 secret key in the dump" in found


@pytest.mark.parametrize("signal", ["SEGV", "ABRT"])
def test_crash_of_the_agent_leaves_no_core_dump_even_where_dumps_are_allowed(
    node: Node, stack: Stack, plane: ScriptedControlPlane, signal: str
) -> None:
    node.drop_in(AGENT, "[Service]\nLimitCORE=infinity\nWorkingDirectory=/var/lib/crosslogic\n")
    plane.assign(**assignment(stack))
    node.start_and_serve()
    agent = node.main_pid(AGENT)
    node.signal_agent(signal)
    another_agent(node, agent)
    node.wait_for_state("serving")
    # Not code=dumped.
    assert re.search(rf"code=killed, status=\d+/{signal}", node.machine.journal("-u", AGENT))
    assert cores(node) == []
