"""What of our units a container leaves out: limits of their cgroups, and what a kernel of their own lets them see."""

from __future__ import annotations

import re

from crosslogic.stack import Stack
from crosslogic.virtual_machine import PROCESSORS, VirtualMachine
from node import AGENT, ENGINE
from scripted_control_plane import ScriptedControlPlane
from virtual_node import VirtualNode, virtual_assignment

SOON = 240
# A unit's own sandbox, tried out: what opens the disk, and what writes to the kernel's log.
TRY = "/bin/sh -c 'true </dev/nvme0n1; echo disk=$$?; true >/dev/null; echo null=$$?; true </dev/kmsg; echo log=$$?'"


def test_drop_ins_for_memory_processor_and_tasks_reach_the_kernel(
    node: VirtualNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.drop_in(ENGINE, "[Service]\nMemoryMax=600M\nMemoryHigh=500M\nCPUWeight=42\nTasksMax=777\n")
    plane.assign(**virtual_assignment(stack))
    node.start()
    plane.wait_for_event("ready", SOON)
    group = f"/sys/fs/cgroup{node.machine.property(ENGINE, 'ControlGroup')}"
    names = ["memory.max", "memory.high", "cpu.weight", "pids.max", "memory.oom.group"]
    values = [node.machine.run("cat", f"{group}/{name}").out.strip() for name in names]
    assert values == [str(600 << 20), str(500 << 20), "42", "777", "1"]


def test_agent_keeps_to_the_last_two_processors_with_every_thread_and_the_engine_has_all(
    node: VirtualNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**virtual_assignment(stack))
    node.start()
    plane.wait_for_event("ready", SOON)
    for unit, expected in ((AGENT, f"{PROCESSORS - 2}-{PROCESSORS - 1}"), (ENGINE, f"0-{PROCESSORS - 1}")):
        said = node.machine.shell(f"cat /proc/{node.main_pid(unit)}/task/*/status").out
        assert set(re.findall(r"(?m)^Cpus_allowed_list:\s*(\S+)$", said)) == {expected}


def test_no_setting_of_our_units_is_beyond_this_kernel(
    node: VirtualNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**virtual_assignment(stack))
    node.start()
    plane.wait_for_event("ready", SOON)
    said = node.machine.journal("-b", "_PID=1", "--priority=warning", "--output=cat")
    assert re.findall(r"(?im)^.*crosslogic.*(?:ignor|not support|unsupported|cannot|unknown).*$", said) == []
    for unit in (AGENT, ENGINE):
        status = node.machine.run("cat", f"/proc/{node.main_pid(unit)}/status").out
        facts = dict(re.findall(r"(?m)^(\w+):\s*(.*)$", status))
        assert (facts["Seccomp"], facts["NoNewPrivs"]) == ("2", "1")
        assert int(facts["CapBnd"], 16) == 0


def test_engine_reaches_no_disk_even_where_its_file_is_open_to_all(machine: VirtualMachine, node: VirtualNode) -> None:
    machine.shell("chmod 666 /dev/nvme0n1 /dev/kmsg")
    # No agent has written an environment.
    none = "EnvironmentFile=\nExecStartPre=\nExecStart=\n"
    node.drop_in(ENGINE, f"[Unit]\nAssertPathExists=\n[Service]\nType=oneshot\n{none}ExecStart={TRY}\n")
    node.systemctl("start", ENGINE, seconds=SOON)
    said = machine.run("cat", "/var/log/crosslogic/vllm.log").out
    assert re.findall(r"(?m)^\w+=\d+$", said)[-3:] == ["disk=2", "null=0", "log=2"]
