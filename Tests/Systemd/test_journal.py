"""The journal: one line for each transition, with fields to search by and an explanation of each."""

from __future__ import annotations

import json

from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, InstalledStandIn, Node, assignment
from scripted_control_plane import ScriptedControlPlane


def test_failure_is_found_by_its_class_and_explained(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    engine.behave(transcript=engine.transcript("wrong-secret"))
    node.machine.run("journalctl", "--update-catalog")
    plane.assign(**assignment(stack))
    node.start()
    node.wait_for_state("failed")
    said = wait_for("the line", lambda: node.machine.journal("-q", "FAILURE_CLASS=credentials_rejected", "-x"), 5)
    assert "failed: credentials_rejected" in said
    assert "Issue a new R2 token with read access to this bucket" in said


def test_lines_carry_node_model_generation_phase_and_execution(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()

    def entries_until_ready() -> list[dict[str, str]] | None:
        lines = node.machine.journal("-u", AGENT, "-o", "json", "MODEL=acme/tiny-llama").splitlines()
        entries = [json.loads(line) for line in lines]
        return entries if any(entry["MESSAGE"].startswith("READY") for entry in entries) else None

    entries = wait_for("the line of READY", entries_until_ready, 10)
    assert {entry["NODE_ID"] for entry in entries} == {"node-1"}
    assert {entry["GENERATION"] for entry in entries} == {"1"}
    phases = [entry["PHASE"] for entry in entries if entry["MESSAGE"].startswith("phase ")]
    assert len(phases) == len(set(phases))
    assert {"engine_config", "weights_done", "health_ok"} <= set(phases)
    invocation = node.machine.property(ENGINE, "InvocationID")
    ready = next(entry for entry in entries if entry["MESSAGE"].startswith("READY"))
    assert ready["ENGINE_INVOCATION"] == invocation
    assert ready["PRIORITY"] == "5"
    assert all(len(entry["MESSAGE_ID"]) == 32 for entry in entries)
