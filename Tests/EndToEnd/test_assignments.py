"""Assignments and settings that cannot work are named, fault by fault."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from crosslogic.stack import Stack
from scripted_control_plane import ScriptedControlPlane
from support import STARTS_WITHIN, StartAgent, assignment, state, wait_for_state


def test_impossible_assignment_is_rejected_with_every_fault(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    agent = start_agent(plane.url)
    plane.assign(**assignment(stack, streamer_concurrency=-1, gpu_memory_utilization=7, dtype="float99"))
    rejected = plane.wait_for_event("assignment_rejected", STARTS_WITHIN)
    faults = {fault["field"] for fault in rejected["data"]["faults"]}
    assert faults == {"streamer_concurrency", "gpu_memory_utilization", "dtype"}
    assert state(agent) == "waiting"
    plane.assign(**assignment(stack, generation=2))
    assert wait_for_state(agent, "serving")["generation"] == 2


def test_bad_assignment_leaves_the_good_one_serving(
    stack: Stack, plane: ScriptedControlPlane, start_agent: StartAgent
) -> None:
    plane.assign(**assignment(stack))
    agent = start_agent(plane.url)
    wait_for_state(agent, "serving")
    plane.assign(**assignment(stack, generation=2, streamer_memory_limit="lots"))
    rejected = plane.wait_for_event("assignment_rejected", STARTS_WITHIN)
    assert [fault["field"] for fault in rejected["data"]["faults"]] == ["streamer_memory_limit"]
    beat = agent.heartbeat()
    assert (beat["state"], beat["generation"]) == ("serving", 1)


def test_bad_settings_are_all_named_and_end_with_78(binaries: Path, tmp_path: Path) -> None:
    settings = tmp_path / "node-agent.env"
    settings.write_text("CROSSLOGIC_CONTROL_PLANE_URL=not a url\nCROSSLOGIC_ENGINE_PORT=99999\n")
    result = subprocess.run(
        [binaries / "crosslogic-node-agent", "run", "--env-file", settings],
        env={"PATH": os.environ["PATH"]},
        check=False,
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert result.returncode == 78
    for name in (
        "CROSSLOGIC_CONTROL_PLANE_URL", "CROSSLOGIC_ENGINE_PORT", "CROSSLOGIC_NODE_ID", "CROSSLOGIC_NODE_TOKEN"
    ):  # fmt: skip
        assert name in result.stderr
