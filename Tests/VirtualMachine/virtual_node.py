"""A node in a virtual machine: our package, installed there, and the stand-in for vLLM."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from crosslogic import engine as engines
from crosslogic import swift
from crosslogic.stack import Stack
from crosslogic.virtual_machine import GATEWAY, VirtualMachine
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE_FOLDER, STAND_IN, InstalledStandIn, OperatedNode, assignment

SHELF = Path("/srv/packages")
WORKER = "VLLM::Worker"


def lay_out(layer: Path, stack: Stack, engine: InstalledStandIn, deb: Path) -> None:
    """What is on the machine's disk, beside a Debian."""

    def below(path: Path) -> Path:
        return layer / path.relative_to("/")

    below(SHELF).mkdir(parents=True)
    shutil.copy(deb, below(SHELF))
    below(STAND_IN).mkdir(parents=True)
    shutil.copy(stack.binaries / swift.SIMULATED_VLLM, below(STAND_IN) / "simulated-vllm")
    shutil.copytree(engines.TRANSCRIPTS, below(STAND_IN) / "Transcripts")
    shutil.copytree(engine.executable.parent.parent, below(ENGINE_FOLDER))


class VirtualNode(OperatedNode):
    machine: VirtualMachine

    def __init__(self, machine: VirtualMachine, engine: InstalledStandIn, plane_port: int) -> None:
        self.machine = machine
        self.engine = engine
        self.settings = {
            "CROSSLOGIC_CONTROL_PLANE_URL": f"http://{GATEWAY}:{plane_port}",
            "CROSSLOGIC_NODE_ID": "node-1",
            "CROSSLOGIC_NODE_TOKEN": "token-of-node-1",
            "CROSSLOGIC_ENGINE_ADDRESS": "127.0.0.1",
            "CROSSLOGIC_ENGINE_ARGS": " ".join(engine.arguments),
            **engine.environment,
        }

    def behave(self, **switches: str | float) -> None:
        self.engine.behave(**switches)
        self.machine.write(ENGINE_FOLDER / "switches.sh", self.engine.switches_file.read_text())

    def take_memory(self) -> None:
        """The engine's worker, of what there is and without end."""
        script = f"""for name in /proc/[0-9]*/comm; do
            if grep -qx {WORKER} "$name"; then pid=${{name#/proc/}}; kill -USR1 "${{pid%/comm}}"; exit; fi
        done; exit 1"""
        wait_for("a worker", lambda: self.machine.shell(script, check=False).code == 0, 120)

    def stop(self) -> None:
        """And what an operator had set. A machine that is off has nothing to stop."""
        if self.machine.is_off:
            return
        self.systemctl("stop", AGENT, seconds=120)
        self.machine.shell("rm -rf /etc/systemd/system/*.d/test.conf /var/lib/crosslogic/* && systemctl daemon-reload")
        self.behave()

    def agent_facts(self) -> dict[str, str]:
        """What stays the same as long as nothing happens to it."""
        return self.machine.show(AGENT, "MainPID", "NRestarts", "InvocationID")

    def journal_of(self, *units: str) -> str:
        return self.machine.journal("-b", *(f"--unit={unit}" for unit in units))


def virtual_assignment(stack: Stack, generation: int = 1, **changes: Any) -> dict[str, Any]:
    """The store as it is seen from there."""
    made = assignment(stack, generation, **changes)
    made["r2"]["endpoint"] = made["r2"]["endpoint"].replace("127.0.0.1", GATEWAY)
    return made
