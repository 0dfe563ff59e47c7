"""The whole thing on loopback: S3 server with the model, control plane, one node agent. Leaves nothing behind.

What stops everything, always: each process of a run writes its output below the run's folder, so that is how they are
found, whatever became of their parents, groups and sessions.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from crosslogic import engine as engines
from crosslogic import install, procfs, swift
from crosslogic.agent import Agent
from crosslogic.canaries import Canaries
from crosslogic.console import Console
from crosslogic.control_plane import ControlPlane
from crosslogic.engine import Engine
from crosslogic.model import MODEL, ensure_model
from crosslogic.ports import free_port
from crosslogic.s3 import S3Server
from crosslogic.waiting import wait_for


class Stack:
    """A context: started part by part by whoever uses it, stopped as a whole when the context ends."""

    def __init__(self, binaries: Path, rclone: Path, name: str = "run") -> None:
        self.binaries = binaries
        self.rclone = rclone
        # Not below the checkout: socket paths have at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix=f"crosslogic-{name}-"))
        self.canaries = Canaries()
        self.keep_folder = False
        self.agents: list[Agent] = []
        self.store: S3Server
        self.control_plane: ControlPlane

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start_store(self) -> S3Server:
        self.store = S3Server(self.rclone, self.folder / "s3", self.folder / "s3.log", self.canaries)
        self.store.upload(ensure_model(), MODEL)
        return self.store

    @property
    def r2(self) -> dict[str, str]:
        return {
            "R2_ENDPOINT": self.store.endpoint,
            "R2_ACCESS_KEY": self.store.access_key,
            "R2_SECRET_KEY": self.store.secret_key,
        }

    def start_control_plane(self) -> ControlPlane:
        self.control_plane = ControlPlane(
            self.binaries / swift.CONTROL_PLANE,
            self.folder,
            self.folder / "control-plane.log",
            self.r2,
            self.canaries,
        )
        return self.control_plane

    def add_agent(self, engine: Engine, node: str, token: str, url: str | None = None, **settings: str) -> Agent:
        """An agent for a node, ready to be started."""
        folder = self.folder / f"agent-{len(self.agents) + 1}"
        folder.mkdir()
        self.canaries.add(f"node token of {node}", token)
        agent = Agent(
            self.binaries / swift.AGENT,
            folder,
            engine,
            {
                "CROSSLOGIC_CONTROL_PLANE_URL": url or self.control_plane.url,
                "CROSSLOGIC_NODE_ID": node,
                "CROSSLOGIC_NODE_TOKEN": token,
                "CROSSLOGIC_ENGINE_PORT": str(free_port()),
                **settings,
            },
            log=folder / "agent.log",
            engine_log=folder / "vllm.log",
            cache=engines.cache_folder() if engine.is_real else folder / "cache",
        )
        self.agents.append(agent)
        return agent

    def simulated_engine(self, speed: float = 1.0) -> engines.SimulatedEngine:
        folder = self.folder / f"simulated-{len(list(self.folder.glob('simulated-*'))) + 1}"
        return engines.simulated(self.binaries / swift.SIMULATED_VLLM, folder, speed)

    def leaked_secrets(self, reports: Any = "") -> list[str]:
        """Where canaries turned up that must not: files, command lines, and the reports given (events, heartbeats)."""
        holders = {self.control_plane.env_file}
        for agent in self.agents:
            holders |= {agent.env_file, agent.runtime / "engine.env"}
        # The control plane hands out the credentials of the store, so its database may hold those; never a node token.
        database = set((self.folder / "control-plane").rglob("*"))
        tokens = Canaries({name: value for name, value in self.canaries.values.items() if name.startswith("node")})
        return [
            *self.canaries.found_in_files(self.folder, holders | database),
            *tokens.found_in_files(self.folder / "control-plane", set()),
            *self.canaries.found_in("reports", str(reports)),
            *self.canaries.found_in_command_lines(),
        ]

    def left_over(self, agent: Agent) -> list[str]:
        """What is still there of an agent that has ended: processes and listening ports."""
        names = [f"process {p.pid} {p.command[:60]}" for p in procfs.writing_below(agent.folder)]
        if agent.engine_port in procfs.listening_ports():
            names.append(f"somebody listens on port {agent.engine_port}")
        names += [f"socket {path}" for path in agent.engine_sockets]
        return names

    def close(self) -> None:
        # A second Ctrl-C must not interrupt the cleaning up.
        with ignored_interrupts():
            wait_for("every process of this run is gone", self._kill_all, 20)
            for agent in self.agents:
                agent.close()
            if not self.keep_folder:
                shutil.rmtree(self.folder, ignore_errors=True)

    def _kill_all(self) -> bool:
        """True once there is nothing left to kill; a process may have made another one in between."""
        left = [process for process in procfs.writing_below(self.folder) if process.pid != os.getpid()]
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        return not left


@contextlib.contextmanager
def ignored_interrupts() -> Iterator[None]:
    """Signal handlers belong to the main thread; elsewhere there is nothing to do."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    try:
        before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    except ValueError:
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt_on_termination() -> None:
    """SIGTERM and SIGHUP end a script like Ctrl-C does: through its `finally` blocks."""

    def interrupt(number: int, _frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def prepare_engine(kind: str, stack: Stack, console: Console, speed: float = 1.0) -> Engine:
    if kind == "simulated":
        return stack.simulated_engine(speed)
    return engines.real(install.ensure_engine(console))
