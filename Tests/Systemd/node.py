"""A node as it is shipped: real systemd, our units, the agent's program, and the stand-in for vLLM."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crosslogic import engine as engines
from crosslogic import http, swift
from crosslogic.booted import Booted, Ran
from crosslogic.canaries import Canaries
from crosslogic.engine import Engine, SimulatedEngine
from crosslogic.machine import Bind, Machine
from crosslogic.model import MODEL
from crosslogic.paths import SCRIPTS
from crosslogic.ports import free_port
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from crosslogic.waiting import NeverCameError, wait_for

AGENT = "crosslogic-node-agent.service"
ENGINE = "crosslogic-engine.service"
SPARE = "crosslogic-engine-spare.service"
SERVING = "crosslogic-serving.target"
GUARD = "crosslogic-engine-guard.service"
DOOR = "crosslogic-enginectl.socket"
ENGINE_LOG = "crosslogic-engine-log.service"
GPU = ["crosslogic-gpu.service", "crosslogic-gpu-memory.service"]
OURS = [AGENT, ENGINE, SPARE, SERVING, GUARD, DOOR, ENGINE_LOG, *GPU]

in_all_start_modes = pytest.mark.parametrize("start_mode", engines.START_MODES, indirect=True)

ENGINE_FOLDER = Path("/opt/crosslogic/engine")
STAND_IN = Path("/opt/stand-in")
LOG = Path("/var/log/crosslogic/vllm.log")
SETTINGS = Path("/etc/crosslogic/node-agent.env")


class InstalledStandIn(SimulatedEngine):
    """Laid out here, seen at another place inside: /tmp is private to the engine's unit."""

    def transcript(self, name: str) -> str:
        return str(STAND_IN / "Transcripts" / f"{name}.transcript")


def stand_in(stack: Stack, speed: float, start_mode: str | None = None) -> InstalledStandIn:
    made = stack.simulated_engine(speed)
    relocate(stack, made)
    if start_mode:
        engines.launchable(made, start_mode, seen_at=ENGINE_FOLDER)
        # Where they are on a node, which is where the agent looks.
        for name in ("CROSSLOGIC_ENGINE_LAUNCHER", "CROSSLOGIC_CACHE_DIR"):
            del made.environment[name]
    return InstalledStandIn(**vars(made))


def relocate(stack: Stack, made: SimulatedEngine) -> None:
    script = made.executable.read_text()
    for there, inside in (
        (made.executable.parent.parent, ENGINE_FOLDER),
        (stack.binaries / swift.SIMULATED_VLLM, STAND_IN / "simulated-vllm"),
        (engines.TRANSCRIPTS, STAND_IN / "Transcripts"),
    ):
        script = script.replace(str(there), str(inside))
    made.executable.write_text(script)


class OperatedNode:
    """A machine with our units on it, and what its operator does and sees there."""

    machine: Booted
    settings: dict[str, str]

    def env_file(self) -> str:
        return "".join(f'{name}="{value}"\n' for name, value in self.settings.items())

    def configure(self, **settings: str) -> None:
        self.settings.update(settings)
        self.machine.write(SETTINGS, self.env_file())

    def drop_in(self, unit: str, text: str) -> None:
        self.machine.write(f"/etc/systemd/system/{unit}.d/test.conf", text)
        self.machine.run("systemctl", "daemon-reload")

    def systemctl(self, *arguments: str, check: bool = True, seconds: float = 90) -> Ran:
        return self.machine.run("systemctl", *arguments, check=check, seconds=seconds)

    def start(self) -> None:
        self.systemctl("start", DOOR)
        self.systemctl("start", "--no-block", AGENT)

    def signal_agent(self, name: str) -> None:
        self.systemctl("kill", "--kill-who=main", f"--signal={name}", AGENT)

    def main_pid(self, unit: str) -> int:
        return int(self.machine.property(unit, "MainPID"))

    def is_active(self, unit: str) -> bool:
        return self.machine.is_active(unit)

    def engine_pids(self, unit: str = ENGINE) -> list[int]:
        """As the machine numbers them."""
        group = self.machine.property(unit, "ControlGroup")
        if not group:
            return []
        # The group may go away meanwhile.
        procs = self.machine.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs", check=False)
        return [int(pid) for pid in procs.out.split()]

    def parked(self, unit: str = ENGINE, other_than: int = 0, seconds: float = 30) -> int:
        """Pid of the engine that waits in a unit, once its fork server is beside it."""
        socket = f"/run/{unit.removesuffix('.service')}/standby.sock"

        def look() -> int:
            pid = self.main_pid(unit)
            is_there = pid not in (0, other_than) and len(self.engine_pids(unit)) > 1
            return pid if is_there and self.machine.run("test", "-S", socket, check=False).code == 0 else 0

        return wait_for(f"an engine that waits in {unit}", look, seconds)

    def settle(self, unit: str, seconds: float) -> None:
        """What waits in the unit has imported all: it takes no processor any more."""
        last, next_look = -1, 0.0

        def is_still() -> bool:
            nonlocal last, next_look
            if time.monotonic() < next_look:
                return False
            next_look = time.monotonic() + 1
            before, last = last, self.cpu_microseconds(unit)
            return 0 <= last - before < 20_000

        wait_for(f"nothing works in {unit}", is_still, seconds)

    def cpu_microseconds(self, unit: str) -> int:
        text = self.machine.run("cat", f"/sys/fs/cgroup{self.machine.property(unit, 'ControlGroup')}/cpu.stat").out
        return int(text.partition("usage_usec ")[2].split()[0])

    def last_exit(self) -> dict[str, Any] | None:
        record = self.machine.read("/var/lib/crosslogic/last-exit.json")
        return json.loads(record) if record else None


class Node(OperatedNode):
    """A machine with an agent on it that has not been started. What it is told comes from `plane_url`."""

    machine: Machine

    def __init__(self, stack: Stack, engine: Engine, plane_url: str, enabled: bool = False, **settings: str) -> None:
        self.canaries = Canaries()
        self.engine = engine
        self.folder = Path(stack.folder / f"node-{len(list(stack.folder.glob('node-*'))) + 1}")
        self.folder.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.engine_port = free_port()
        self.token = self.canaries.new("node token")
        self.canaries.add("R2 access key", stack.store.access_key)
        self.canaries.add("R2 secret key", stack.store.secret_key)
        self.settings = {
            "CROSSLOGIC_CONTROL_PLANE_URL": plane_url,
            "CROSSLOGIC_NODE_ID": "node-1",
            "CROSSLOGIC_NODE_TOKEN": self.token,
            "CROSSLOGIC_HEARTBEAT_LISTEN": f"127.0.0.1:{self.port}",
            "CROSSLOGIC_ENGINE_PORT": str(self.engine_port),
            "CROSSLOGIC_ENGINE_ADDRESS": "127.0.0.1",
            "CROSSLOGIC_ENGINE_ARGS": " ".join(engine.arguments),
            **engine.environment,
            **settings,
        }
        self.machine = Machine("node", [self.layer(enabled)], self.binds(stack))

    def layer(self, enabled: bool) -> Path:
        layer = self.folder / "layer"
        subprocess.run([SCRIPTS / "install-units", layer], check=True)
        (layer / "etc/crosslogic/node-agent.env").write_text(self.env_file())
        recorded = self.engine.executable.parent.parent / "cache" / "launcher"
        if recorded.exists():
            shutil.copytree(recorded, layer / "var/cache/crosslogic/launcher")
            # As the engine's user would have left it.
            tmpfiles = layer / "etc/tmpfiles.d"
            tmpfiles.mkdir(parents=True, exist_ok=True)
            (tmpfiles / "recorded.conf").write_text("Z /var/cache/crosslogic - vllm vllm\n")
        if enabled:
            for target, unit in (("multi-user", AGENT), ("sockets", DOOR)):
                wants = layer / f"etc/systemd/system/{target}.target.wants"
                wants.mkdir(parents=True)
                (wants / unit).symlink_to(f"/usr/lib/systemd/system/{unit}")
        return layer

    def binds(self, stack: Stack) -> list[Bind]:
        binds = [Bind(stack.binaries / swift.AGENT, Path("/usr/bin/crosslogic-node-agent"))]
        if isinstance(self.engine, SimulatedEngine):
            binds += [
                Bind(self.engine.executable.parent.parent, ENGINE_FOLDER),
                Bind(stack.binaries / swift.SIMULATED_VLLM, STAND_IN / "simulated-vllm"),
                Bind(engines.TRANSCRIPTS, STAND_IN / "Transcripts"),
            ]
        elif self.is_hidden:
            # Read-only, and that matters: a boot clears /tmp.
            folder = self.engine.executable.resolve().parent.parent
            binds.append(Bind(folder, folder))
        return binds

    @property
    def is_hidden(self) -> bool:
        """The checkout, and with it the real engine, lies where each unit sees a folder of its own."""
        return self.engine.is_real and self.engine.executable.resolve().is_relative_to("/tmp")

    def reach_engine(self) -> None:
        """A developer's engine may lie in /tmp, its Python in root's home; one that is installed in neither."""
        python = (self.engine.executable.parent / "python").resolve()
        for parent in [*python.parents, *self.engine.executable.resolve().parents]:
            self.machine.run("chmod", "a+rx", str(parent), check=False)
        for unit in (AGENT, ENGINE, SPARE):
            self.drop_in(unit, f"[Service]\nProtectHome=no\nPrivateTmp={'no' if self.is_hidden else 'yes'}\n")

    def start_and_serve(self, seconds: float = 30) -> dict[str, Any]:
        self.start()
        return self.wait_for_state("serving", seconds)

    # --- What can be seen

    def heartbeat(self) -> dict[str, Any] | None:
        answer = http.try_get(f"{self.url}/v1/heartbeat")
        return answer.json if answer and answer.status == 200 else None

    def wait_for_state(self, state: str, seconds: float = 30) -> dict[str, Any]:
        return self.wait_for_heartbeat(f"state {state}", lambda beat: beat["state"] == state, seconds)

    def wait_for_engine(self, other_than: int, seconds: float = 30) -> dict[str, Any]:
        """Another engine serves."""
        return self.wait_for_heartbeat(
            f"an engine other than {other_than}",
            lambda beat: beat["state"] == "serving" and beat["engine"]["pid"] != other_than,
            seconds,
        )

    def wait_for_heartbeat(self, what: str, holds: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            beat = self.heartbeat()
            return beat if beat and holds(beat) else None

        try:
            return wait_for(what, look, seconds)
        except NeverCameError as error:
            raise NeverCameError(f"{error}\n{self.heartbeat()}\n{self.machine.journal('-n', '60')}") from None

    def wait_for_phase(self, phase: str, seconds: float = 30) -> None:
        wait_for(f"phase {phase}", lambda: phase in self.phases(), seconds)

    def phases(self) -> list[str]:
        beat = self.heartbeat()
        return [mark["phase"] for mark in beat["timeline"]] if beat else []

    def keep_logs(self) -> None:
        """Beside the others of the run, for whoever looks into a failure."""
        if self.machine.is_running:
            (self.folder / "journal.txt").write_text(self.machine.journal())
            shutil.copy(self.machine.path(LOG), self.folder / "vllm.log")


def another_agent(node: Node, before: int) -> int:
    """The main process's number once it is not `before` any more."""
    return wait_for("another agent", lambda: (pid := node.main_pid(AGENT)) not in (0, before) and pid, 15)


def ask(node: Node, user: str, verb: str) -> tuple[int, str]:
    """The door's answer, or why it stays shut."""
    script = (
        "import socket, sys\n"
        "door = socket.socket(socket.AF_UNIX)\n"
        "door.connect('/run/crosslogic-enginectl.socket')\n"
        f"door.sendall(b'{verb}\\n')\n"
        "door.shutdown(socket.SHUT_WR)\n"
        "print(door.makefile().read())\n"
    )
    ran = node.machine.run("runuser", "-u", user, "--", "python3", "-c", script, check=False)
    return ran.code, ran.out + ran.err


def assignment(stack: Stack, generation: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "generation": generation,
        "model": MODEL,
        "model_uri": f"s3://{BUCKET}/{MODEL}",
        "r2": {
            "endpoint": stack.store.endpoint,
            "bucket": BUCKET,
            "access_key_id": stack.store.access_key,
            "secret_access_key": stack.store.secret_key,
        },
        **changes,
    }
