"""A control plane and a simulated fleet on loopback, one line of figures a second."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crosslogic import http, procfs
from crosslogic.control_plane import write_env_file
from crosslogic.part import Part
from crosslogic.ports import free_port
from crosslogic.waiting import wait_for

ADMIN_TOKEN = "fleet-admin-token"
# Of both processes: connections, and what else they open.
SPARE_DESCRIPTORS = 256
CONNECTIONS_PER_NODE = 3

Line = dict[str, Any]


class FleetStack:
    """Leaves nothing behind but the folder, which is the caller's."""

    def __init__(self, folder: Path, control_plane: Path, simulator: Path, nodes: int) -> None:
        self.folder = folder
        self.control_plane_binary = control_plane
        self.simulator_binary = simulator
        self.nodes = nodes
        self.port = free_port()
        self.control_plane: Part | None = None
        self.simulator: Part | None = None
        self.starts = 0
        self.limit = descriptor_limit(nodes)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def server(self) -> Part:
        if self.control_plane is None:
            raise RuntimeError("the control plane has not been started")
        return self.control_plane

    def start_control_plane(self) -> None:
        env_file = self.folder / "control-plane.env"
        if not env_file.exists():
            write_env_file(env_file, {"CROSSLOGIC_ADMIN_TOKEN": ADMIN_TOKEN})
        self.starts += 1
        command = [
            "prlimit", f"--nofile={self.limit}", self.control_plane_binary, "serve",
            "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.folder / "data", "--env-file", env_file,
        ]  # fmt: skip
        log = self.folder / f"control-plane-{self.starts}.log"
        self.control_plane = Part("control plane", command, log, {"PATH": "/usr/bin:/bin"})
        self.control_plane.wait_for_line(r"listening on (http://\S+)", 60)

    def register_nodes(self) -> None:
        """Straight into the database, between two runs of the server: a hundred thousand requests would take minutes
        and are not what is measured."""
        self.start_control_plane()
        self.server.stop(10)
        document = json.dumps({"model": "acme/tiny", "model_uri": "s3://b/acme/tiny", "gpu": "A10G"})
        now = "2026-01-01T00:00:00.000Z"
        with sqlite3.connect(self.folder / "data" / "control-plane.sqlite") as database:
            database.executemany(
                "INSERT INTO nodes (id, token_sha256, created_at, generation) VALUES (?, ?, ?, 1)",
                ((name(i), hashlib.sha256(token(i).encode()).digest(), now) for i in range(self.nodes)),
            )
            database.executemany(
                "INSERT INTO assignments (node_id, generation, created_at, document) VALUES (?, 1, ?, ?)",
                ((name(i), now, document) for i in range(self.nodes)),
            )

    def start_simulator(self, ramp: float, crashes: float = 0, preemptions: float = 0, adopted: bool = False) -> None:
        command = [
            "prlimit", f"--nofile={self.limit}", self.simulator_binary, "--port", str(self.port),
            "--nodes", str(self.nodes), "--ramp", str(ramp), "--crashes", str(crashes),
            "--preemptions", str(preemptions), *(["--adopted"] if adopted else []),
        ]  # fmt: skip
        self.simulator = Part("fleet simulator", command, self.folder / "fleet.log", {"PATH": "/usr/bin:/bin"})

    def lines(self, since: int = 0) -> list[Line]:
        """The figures so far; what is printed while we look is left for the next look."""
        text = (self.folder / "fleet.log").read_text()
        whole = text[: text.rfind("\n") + 1].splitlines()[since:]
        return [json.loads(line) for line in whole]

    def wait_for_line(self, what: str, wanted: Callable[[Line], bool], seconds: float, since: int = 0) -> Line:
        def look() -> Line | None:
            return next((line for line in self.lines(since) if wanted(line)), None)

        part = self.simulator
        return wait_for(what, look, seconds, part.why_gone if part else None)

    def kill_control_plane(self) -> None:
        self.server.send(signal.SIGKILL)
        self.server.wait(10)

    def ask(self, path: str) -> Any:
        return http.call("GET", self.url + path, token=ADMIN_TOKEN, seconds=30).json

    def resident(self) -> int:
        return procfs.memory(self.server.pid).resident

    def close(self) -> None:
        for part in (self.simulator, self.control_plane):
            if part is not None and not part.has_exited:
                part.send(signal.SIGKILL)
                part.wait(10)


def name(index: int) -> str:
    return f"sim-{index:08}"


def token(index: int) -> str:
    return f"simulated-token-{index:08}"


def descriptor_limit(nodes: int) -> int:
    """Enough for every connection of the fleet; less where the hard limit may not be raised."""
    wanted = CONNECTIONS_PER_NODE * nodes + SPARE_DESCRIPTORS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if wanted <= hard or may_have(wanted):
        return wanted
    return hard


def may_have(descriptors: int) -> bool:
    """Root without CAP_SYS_RESOURCE may not either."""
    command = ["prlimit", f"--nofile={descriptors}", "true"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def most_nodes(wanted: int) -> int:
    """As many of these as one control plane and one simulator may hold the connections of."""
    return min(wanted, (descriptor_limit(wanted) - SPARE_DESCRIPTORS) // CONNECTIONS_PER_NODE)


class Watch:
    """Memory and processor time of both processes, from when it is made."""

    def __init__(self, stack: FleetStack) -> None:
        self.stack = stack
        self.began = time.monotonic()
        self.before = self._seconds()

    def _seconds(self) -> list[float]:
        return [procfs.cpu_seconds(part.pid) for part in (self.stack.control_plane, self.stack.simulator) if part]

    def cores(self) -> tuple[float, float]:
        """Of the control plane and of the simulator, on average."""
        took = time.monotonic() - self.began
        plane, fleet = (after - before for after, before in zip(self._seconds(), self.before, strict=True))
        return plane / took, fleet / took


def bare_sync_seconds(folder: Path, times: int = 50) -> list[float]:
    """What this disk takes for the sync that every commit needs."""
    took = []
    with (folder / "sync").open("wb") as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            began = time.monotonic()
            os.fdatasync(file.fileno())
            took.append(time.monotonic() - began)
    return took
