"""Memory that runs out: a limit on the engine's unit, and the machine's own."""

from __future__ import annotations

import json
from typing import Any

from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE
from scripted_control_plane import ScriptedControlPlane
from virtual_node import VirtualNode, virtual_assignment

MEGABYTE = 1 << 20
LIMIT = 200 * MEGABYTE
# Emulated: a start of the stand-in, 2 s on this machine, may take a minute.
SOON = 240

REMEDY = "Lower streamer_memory_limit (it is per rank) or streamer_concurrency, or use a machine with more memory."


def check_failure(node: VirtualNode, plane: ScriptedControlPlane) -> dict[str, Any] | None:
    """Returns what was written down of the engine's end."""
    failure = plane.wait_for_event("failed", SOON)["data"]["failure"]
    assert failure["class"] == "host_oom"
    assert failure["remedy"] == REMEDY
    assert failure["process"] == "kernel"
    assert "the kernel killed the engine" in failure["message"]
    # Where the kernel kills one process after the other, systemd kills the one that writes the record as well. That the
    # agent asks systemd itself then is what the class above shows.
    last = node.last_exit()
    if last:
        assert (last["result"], last["code"], last["status"]) == ("oom-kill", "killed", "KILL")
        assert last["oom_kill"] >= 1
    return last


def test_engine_beyond_its_limit_is_killed_whole_named_and_tried_again_with_less(
    node: VirtualNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.drop_in(ENGINE, f"[Service]\nMemoryMax={LIMIT}\n")
    node.behave(stall_at="Starting to load model")
    plane.assign(**virtual_assignment(stack))
    node.start()
    agent = wait_for("an agent", lambda: (facts := node.agent_facts())["MainPID"] != "0" and facts, SOON)
    node.take_memory()
    last = check_failure(node, plane)
    if last:
        assert LIMIT * 0.9 < last["memory_peak"] <= LIMIT
        message = plane.events_of("failed")[0]["data"]["failure"]["message"]
        assert f"when it used {last['memory_peak'] // MEGABYTE} MiB" in message
    entry = json.loads(node.machine.journal("-o", "json", "FAILURE_CLASS=host_oom").splitlines()[0])
    assert entry["_SYSTEMD_UNIT"] == AGENT

    node.behave()
    plane.wait_for_event("ready", SOON)
    argv = json.loads(node.machine.run("cat", "/run/crosslogic/engine.argv").out)
    loader = json.loads(argv[argv.index("--model-loader-extra-config") + 1])
    assert loader == {"concurrency": 16, "memory_limit": 2684354560}
    assert node.agent_facts() == agent


def test_kernel_that_runs_out_takes_the_engine_and_not_the_agent(
    node: VirtualNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    # Before it kills, the kernel throws the pages of all programs out again and again. With an emulated disk that takes
    # longer than the agent may be silent.
    node.drop_in(AGENT, "[Service]\nWatchdogSec=5min\n")
    plane.assign(**virtual_assignment(stack))
    node.start()
    plane.wait_for_event("ready", SOON)
    agent = node.agent_facts()
    node.take_memory()
    check_failure(node, plane)
    kernel = node.machine.journal("-b", "--dmesg", "--output=cat")
    assert "Out of memory: Killed process" in kernel
    # oom_score_adj of the engine's unit; of the agent's it is -900.
    assert "oom_score_adj:300" in kernel
    plane.wait_for_event("ready", SOON, after=1)
    assert node.agent_facts() == agent
