"""However it ends, and whenever: nothing is left, and it is known how it ended."""

from __future__ import annotations

import time

import pytest
from conftest import MakeNode
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, SERVING, SPARE, InstalledStandIn, Node, assignment, in_all_start_modes
from scripted_control_plane import ScriptedControlPlane


def nothing_left(node: Node) -> None:
    assert not node.is_active(AGENT)
    for unit in (ENGINE, SPARE):
        assert not node.is_active(unit)
        assert node.engine_pids(unit) == []
    assert not node.is_active(SERVING)
    assert node.machine.run("pgrep", "-u", "vllm", check=False).out == ""
    for name in ("engine.env", "spare.env", "handover.json", "log.json"):
        assert not node.machine.path(f"/run/crosslogic/{name}").exists()


@in_all_start_modes
def test_stop_drains_and_leaves_nothing(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    node.systemctl("stop", AGENT)
    nothing_left(node)
    assert [event["type"].split(".")[-2] for event in plane.events[-2:]] == ["draining", "stopped"]
    last = node.last_exit()
    assert last
    assert (last["result"], last["code"], last["status"], last["left"]) == ("success", "exited", "0", 0)


@pytest.mark.parametrize("phase", ["assignment_received", "engine_exec", "engine_core_spawn", "weights_done"])
def test_stop_in_each_phase_leaves_nothing(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn, phase: str
) -> None:
    engine.behave(speed=4)
    plane.assign(**assignment(stack))
    node.start()
    node.wait_for_phase(phase)
    node.systemctl("stop", AGENT)
    nothing_left(node)


def test_stop_while_the_engine_waits_for_the_gpus_withdraws_its_start(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    gpu = "crosslogic-gpu.service"
    node.drop_in(gpu, "[Service]\nExecStart=\nExecStart=/bin/sleep infinity\nTimeoutStartSec=300s\n")
    plane.assign(**assignment(stack))
    node.start()
    wait_for("the start waits", lambda: node.machine.property(gpu, "ActiveState") == "activating", 10)
    node.systemctl("stop", AGENT)
    assert node.machine.property(AGENT, "Result") == "success"
    assert node.machine.property(ENGINE, "Job") in ("", "0")
    nothing_left(node)


@in_all_start_modes
def test_stop_while_the_agent_is_about_to_come_back_ends_the_engine(
    node: Node, stack: Stack, plane: ScriptedControlPlane, start_mode: str
) -> None:
    node.drop_in(AGENT, "[Service]\nRestartSec=30s\n")
    plane.assign(**assignment(stack))
    node.start_and_serve()
    if start_mode == "standby":
        node.parked(SPARE)
    node.signal_agent("KILL")
    wait_for("auto-restart", lambda: node.machine.property(AGENT, "SubState") == "auto-restart", 5)
    assert node.is_active(ENGINE)
    node.systemctl("stop", AGENT)
    # The command waits for the agent's own unit; the guard ends the engine right behind it.
    wait_for("the engine is gone", lambda: not node.is_active(ENGINE) and not node.engine_pids(), 10)
    wait_for("none waits", lambda: not node.is_active(SPARE) and not node.engine_pids(SPARE), 10)


def test_agent_killed_while_it_drains_leaves_no_engine(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    engine.behave(sigterm="never")
    node.drop_in(ENGINE, "[Service]\nTimeoutStopSec=1s\n")
    plane.assign(**assignment(stack))
    node.start_and_serve()
    node.systemctl("stop", "--no-block", AGENT)
    plane.wait_for_event("draining", 5)
    node.signal_agent("KILL")
    wait_for("the engine is gone", lambda: not node.is_active(ENGINE) and not node.engine_pids(), 15)


@in_all_start_modes
def test_killed_api_server_takes_its_workers_along_within_half_a_second(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**assignment(stack))
    pid = node.start_and_serve()["engine"]["pid"]
    pids = [str(worker) for worker in node.engine_pids()]
    assert len(pids) >= 3
    # One command, so that what is measured is not the way into the machine.
    script = f"kill -KILL {pid}; for i in $(seq 50); do sleep 0.01; ps -o pid= -p {','.join(pids)} || break; done"
    started = time.monotonic()
    left = node.machine.shell(f"{script} >/dev/null; ps -o args= -p {','.join(pids)}", check=False).out
    assert left == ""
    print(f"all gone after {time.monotonic() - started:.3f} s, entering included")
    failure = plane.wait_for_event("failed", 5)["data"]["failure"]
    print(f"failed event after {time.monotonic() - started:.3f} s")
    assert (failure["class"], failure["signal"]) == ("engine_died", 9)
    plane.wait_for_event("ready", 20, after=1)


def test_end_that_nobody_could_write_down_is_asked_of_systemd(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    """As where the kernel has no memory for whoever writes it down."""
    node.drop_in(ENGINE, "[Service]\nExecStopPost=\n")
    plane.assign(**assignment(stack))
    pid = node.start_and_serve()["engine"]["pid"]
    node.machine.run("kill", "-BUS", str(pid))
    failure = plane.wait_for_event("failed", 10)["data"]["failure"]
    assert failure["signal"] == 7
    assert node.last_exit() is None


def test_second_agent_is_refused(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    pid = node.start_and_serve()["engine"]["pid"]
    ran = node.machine.shell(
        "set -a; . /etc/crosslogic/node-agent.env; exec runuser -u crosslogic -- crosslogic-node-agent run", check=False
    )
    assert ran.code == 69
    assert f"pid {node.main_pid(AGENT)}" in ran.err
    assert node.wait_for_state("serving")["engine"]["pid"] == pid


def test_node_that_is_revoked_ends_and_stays_ended(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    plane.revoke()
    wait_for("the agent has ended", lambda: node.machine.property(AGENT, "ActiveState") == "inactive", 20)
    nothing_left(node)


def test_power_off_drains(make_node: MakeNode, stack: Stack, plane: ScriptedControlPlane) -> None:
    node = make_node(enabled=True)
    plane.assign(**assignment(stack))
    node.wait_for_state("serving")
    node.machine.power_off()
    assert plane.events_of("stopped")


def test_reboot_begins_anew(make_node: MakeNode, stack: Stack, plane: ScriptedControlPlane) -> None:
    node = make_node(enabled=True)
    # The notice of the first boot's end counts for that boot; in its sandbox the agent sees the boot id of the host of
    # this machine, which is the same before and after.
    node.drop_in(AGENT, "[Service]\nExecStartPre=+/bin/rm -f /var/lib/crosslogic/notice.json\n")
    plane.assign(**assignment(stack))
    node.wait_for_state("serving")
    node.machine.reboot()
    plane.wait_for_event("ready", 20, after=1)
    assert node.wait_for_state("serving")["engine"]["restarts"] == 0
