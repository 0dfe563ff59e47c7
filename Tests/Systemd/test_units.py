"""The units as they are shipped: correct, tight, and open to nobody but the agent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import MakeNode
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, ENGINE_LOG, GPU, GUARD, LOG, SPARE, Node, ask, assignment
from scripted_control_plane import ScriptedControlPlane

# Ratchets: only ever down. Most agents that are shipped with distributions stand above 9.
EXPOSURE = {
    AGENT: 1.1,
    ENGINE: 1.6,
    SPARE: 1.6,
    "crosslogic-enginectl@.service": 0.9,
    "crosslogic-gpu-memory.service": 1.1,
}

OFTEN = [
    *(AGENT, ENGINE, SPARE, GUARD, ENGINE_LOG, *GPU),
    *("crosslogic-caches@pack.service", "crosslogic-read-ahead.service", "crosslogic-read-ahead-record.service"),
]


def test_systemd_finds_no_fault_with_them(node: Node) -> None:
    found = node.machine.shell("systemd-analyze verify --man=no /usr/lib/systemd/system/crosslogic-*", check=False)
    assert (found.code, found.out + found.err) == (0, "")


def test_exposure_does_not_rise(node: Node) -> None:
    for unit, limit in EXPOSURE.items():
        path = f"/usr/lib/systemd/system/{unit}"
        said = node.machine.run("systemd-analyze", "security", "--offline=true", "--no-pager", path, check=False).out
        match = re.search(r"Overall exposure level for .*: ([\d.]+)", said)
        assert match, said
        print(f"{unit}: {match[1]}")
        assert float(match[1]) <= limit, said


def test_door_opens_to_the_agent_alone(node: Node) -> None:
    node.systemctl("start", "crosslogic-enginectl.socket")
    for user in ("nobody", "vllm"):
        code, said = ask(node, user, "status")
        assert code != 0
        assert "PermissionError" in said
    for verb in ("status", "status-spare"):
        code, said = ask(node, "crosslogic", verb)
        assert code == 0
        assert said.startswith("ok\n")
        assert "ActiveState=inactive" in said


@pytest.mark.parametrize(
    "verb", ["reboot", "start crosslogic-node-agent.service", "", "status; id", "$(id)", "START", "gpu-spare", "-spare"]
)
def test_door_knows_its_verbs_only(node: Node, verb: str) -> None:
    node.systemctl("start", "crosslogic-enginectl.socket")
    _, said = ask(node, "crosslogic", verb)
    assert said.strip() == "refused"
    assert not node.is_active(ENGINE)


def test_engine_started_by_hand_says_what_it_misses(node: Node) -> None:
    assert node.systemctl("start", ENGINE, check=False).code != 0
    assert "AssertPathExists=/run/crosslogic/engine.env" in node.machine.run("systemctl", "cat", ENGINE).out
    assert node.machine.property(ENGINE, "AssertResult") == "no"


def test_log_is_in_tmp_for_whoever_looks_there(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    assert "Starting vLLM server" in node.machine.run("cat", "/tmp/vllm.log").out
    private = node.machine.property(ENGINE, "PrivateTmp")
    assert private == "yes"


def test_log_may_be_named_as_people_see_it(make_node: MakeNode, stack: Stack, plane: ScriptedControlPlane) -> None:
    """In the agent's own /tmp there is none."""
    node = make_node(CROSSLOGIC_ENGINE_LOG="/tmp/vllm.log")
    plane.assign(**assignment(stack))
    node.start_and_serve()
    # Nothing but the log tells of these.
    assert {"engine_config", "weights_done"} <= set(node.phases())


@pytest.mark.parametrize("trap", ["ln -s /etc/victim", "echo mine >", "mkfifo", "mkdir", "ln /etc/victim"])
def test_trap_in_tmp_is_neither_followed_nor_written(
    node: Node, stack: Stack, plane: ScriptedControlPlane, trap: str
) -> None:
    plane.assign(**assignment(stack))
    node.machine.shell("echo untouched >/etc/victim; rm -f /tmp/vllm.log")
    # A hard link over file systems is nothing an attacker can make either.
    node.machine.shell(f"cd /tmp && {trap} /tmp/vllm.log && chown -h nobody /tmp/vllm.log", check=False)
    node.start_and_serve()
    assert node.machine.run("cat", "/etc/victim").out == "untouched\n"
    assert node.machine.run("readlink", "/tmp/vllm.log").out.strip() == str(LOG)


def test_what_each_start_of_an_engine_wants_is_started_as_often(node: Node) -> None:
    """The default of systemd refuses the sixth start within ten seconds, and the trap in /tmp would stay."""
    node.machine.shell(f"for i in 1 2 3 4 5 6 7; do systemctl start {ENGINE_LOG} {GPU[0]} || exit 1; done")
    node.machine.shell("rm -f /tmp/vllm.log; echo mine >/tmp/vllm.log")
    node.systemctl("start", ENGINE_LOG)
    assert node.machine.run("readlink", "/tmp/vllm.log").out.strip() == str(LOG)


@pytest.mark.parametrize("unit", OFTEN)
def test_nothing_that_is_started_often_has_a_limit(node: Node, unit: str) -> None:
    assert node.machine.property(unit, "StartLimitIntervalUSec") == "0"


def test_edits_by_drop_in_are_respected(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.drop_in(ENGINE, "[Service]\nEnvironment=EDITED=yes\nNice=7\n")
    node.start_and_serve()
    pid = node.main_pid(ENGINE)
    assert "EDITED=yes" in node.machine.shell(f"tr '\\0' '\\n' </proc/{pid}/environ").out.splitlines()
    stat = node.machine.run("cat", f"/proc/{pid}/stat").out
    assert stat.rpartition(")")[2].split()[16] == "7"


def test_bad_settings_end_it_once_with_78_and_a_word_that_helps(node: Node) -> None:
    node.configure(CROSSLOGIC_ENGINE_PORT="many")
    node.start()
    wait_for("the unit has failed", lambda: node.machine.property(AGENT, "ActiveState") == "failed", 10)
    facts = node.machine.show(AGENT, "ExecMainStatus", "StatusText", "NRestarts")
    assert facts["ExecMainStatus"] == "78"
    assert "CROSSLOGIC_ENGINE_PORT" in facts["StatusText"]
    assert facts["NRestarts"] == "0"
    node.machine.run("journalctl", "--update-catalog")
    said = node.machine.journal("-x", "-u", AGENT)
    assert "CROSSLOGIC_ENGINE_PORT is" in said
    assert "Correct the setting in /etc/crosslogic/node-agent.env" in said


def test_another_agent_ends_it_once_with_69_and_a_word_that_helps(node: Node) -> None:
    lock = "/run/crosslogic/agent.lock"
    # Its file is the agent's, whoever looks first.
    node.machine.run("runuser", "-u", "crosslogic", "--", "touch", lock)
    node.machine.run(
        "systemd-run", "--unit=other", "--uid=crosslogic", "--gid=crosslogic", "flock", lock, "sleep", "infinity"
    )
    wait_for("the lock is held", lambda: node.machine.run("flock", "-n", lock, "true", check=False).code != 0, 10)
    node.start()
    wait_for("the unit has failed", lambda: node.machine.property(AGENT, "ActiveState") == "failed", 10)
    facts = node.machine.show(AGENT, "ExecMainStatus", "StatusText", "StatusErrno", "NRestarts")
    assert (facts["ExecMainStatus"], facts["StatusErrno"], facts["NRestarts"]) == ("69", "16", "0")
    assert facts["StatusText"].startswith("another agent runs here")
    node.machine.run("journalctl", "--update-catalog")
    assert "Stop the other one, which was most likely started by hand" in node.machine.journal("-x", "-u", AGENT)


def test_environment_that_the_agent_writes_reaches_nothing_that_runs_as_root(
    make_node: MakeNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    """Else who takes the agent over has the machine: by a library of its own, or by programs found first."""
    traces, fakes = "/var/cache/crosslogic/loaded", Path("/srv/fakes")
    path = f"{fakes}:/usr/sbin:/usr/bin:/sbin:/bin"
    node = make_node(LD_DEBUG="libs", LD_DEBUG_OUTPUT=traces, PATH=path)
    for name in ("systemctl", "systemd-tmpfiles", "mv"):
        node.machine.write(fakes / name, f"#!/bin/sh\ntouch /run/{name}-was-executed\n")
        node.machine.run("chmod", "+x", str(fakes / name))
    node.start()
    node.wait_for_state("waiting")
    # Root's own preparation of the agent is told by the administrator's file alone.
    node.machine.shell(f"rm -f {traces}.* /run/*-was-executed")
    plane.assign(**assignment(stack))
    pid = node.wait_for_state("serving")["engine"]["pid"]
    assert f"{fakes}:" in node.machine.shell(f"tr '\\0' '\\n' </proc/{pid}/environ | grep ^PATH=").out
    node.machine.run("kill", "-KILL", str(pid))
    plane.wait_for_event("ready", 20, after=1)
    assert (node.last_exit() or {})["code"] == "killed"
    owners = node.machine.shell(f"stat -c %U {traces}.*").out.split()
    assert set(owners) == {"vllm"}
    assert node.machine.shell("ls /run/*-was-executed", check=False).out == ""
