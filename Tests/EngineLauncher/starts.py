"""Starts of the launcher, with the stand-in for vLLM's package."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosslogic import procfs
from crosslogic.launchable import LAUNCHER, launcher, make_environment
from crosslogic.waiting import wait_for

SECONDS = 60


@dataclass
class Installation:
    """A virtual environment, and the state its starts leave."""

    folder: Path
    launcher: Path = field(default_factory=launcher)
    vllm: Path = field(init=False)
    interpreter: Path = field(init=False)
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.vllm = make_environment(self.folder / "engine")
        self.interpreter = self.vllm.with_name("python")
        self.variables = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(self.folder)}

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def socket(self) -> Path:
        return self.folder / "go"

    @property
    def checkpoint(self) -> Path:
        return self.state / "checkpoint"

    @property
    def why_not_kept(self) -> str:
        """Empty as long as nothing has failed."""
        try:
            return str(json.loads((self.state / "checkpoint.failed").read_text())["reason"])
        except (FileNotFoundError, json.JSONDecodeError):
            return ""

    @property
    def installed_list(self) -> Path:
        return self.vllm.parent.parent / "crosslogic-modules.json"

    def package(self, path: str) -> Path:
        return next(self.vllm.parent.parent.glob("lib/*/site-packages/vllm")) / path

    @property
    def modules(self) -> dict[str, Any]:
        return json.loads(next(self.state.glob("modules-*.json")).read_text())

    def command(self, mode: str, *more: str) -> list[str]:
        places = ["--vllm", str(self.vllm), "--state", str(self.state)]
        return [str(self.interpreter), str(self.launcher), mode, *places, *more]

    def start(self, *argv: str, **variables: str) -> Ended:
        """A preloading start, until it has ended."""
        command = self.command("preload", "--", *(argv or ("report",)))
        ran = subprocess.run(
            command, env=self.variables | variables, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return Ended(ran.stdout, ran.stderr, ran.returncode)

    def list_also(self, role: str, name: str) -> None:
        """As if a start had recorded it."""
        path = next(self.state.glob("modules-*.json"))
        modules = json.loads(path.read_text())
        modules[role].append(name)
        path.write_text(json.dumps(modules))

    def change_launcher(self, module: str, text: str, other: str) -> None:
        """In a copy of it."""
        if self.launcher == LAUNCHER:
            self.launcher = self.folder / "launcher"
            shutil.copytree(LAUNCHER, self.launcher)
        path = self.launcher / "crosslogic_launcher" / module
        assert text in path.read_text()
        path.write_text(path.read_text().replace(text, other))

    def park(self, *before: str, **variables: str) -> Parked:
        """`before`: a command that executes it."""
        return Parked(self, before, variables)

    def keep(self, *before: str, **variables: str) -> str:
        """By a parked start that is killed when there is a checkpoint, or a reason why there is none: which."""
        parked = self.park(*before, **{"CROSSLOGIC_CHECKPOINT": "0"} | variables)
        wait_for("it has been kept, or not", lambda: self.checkpoint.exists() or self.why_not_kept, SECONDS)
        wait_for("its keeper is gone", lambda: len(parked.members) == 2, SECONDS)
        parked.kill()
        return self.why_not_kept


@dataclass
class Ended:
    output: str
    errors: str
    code: int

    @property
    def said(self) -> list[str]:
        """By the launcher."""
        prefix = "crosslogic-launcher: "
        return [line.removeprefix(prefix) for line in self.output.splitlines() if line.startswith(prefix)]

    @property
    def origin(self) -> str:
        """Of the start, as the launcher's line says it."""
        return next((line.partition(",")[0] for line in self.said if line.startswith(("standby", "preload"))), "")

    @property
    def report(self) -> dict[str, Any]:
        for line in self.output.splitlines():
            if line.startswith("{"):
                return json.loads(line)
        raise AssertionError(f"no report: exit code {self.code}\n{self.output}\n{self.errors}")


class Parked:
    """A start that waits, in a session of its own."""

    def __init__(self, installation: Installation, before: tuple[str, ...], variables: dict[str, str]) -> None:
        self.installation = installation
        installation.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [*before, *installation.command("park", "--socket", str(installation.socket))],
            env=installation.variables | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        wait_for("the launcher listens", installation.socket.exists, SECONDS)

    def settle(self) -> list[procfs.Process]:
        """Its processes, once the fork server has imported all and says so by its name's end."""

        def look() -> list[procfs.Process] | None:
            found = self.members
            return found if len(found) > 1 else None

        return wait_for("the fork server is there", look, SECONDS)

    @property
    def members(self) -> list[procfs.Process]:
        return procfs.of_session(self.process.pid)

    def go(self, *argv: str, **variables: str) -> str:
        """What it answers."""
        environment = self.installation.variables | variables
        strings = [f"A{word}" for word in argv or ("report",)] + [f"E{name}={v}" for name, v in environment.items()]
        message = b"".join(os.fsencode(text) + b"\0" for text in strings) + b"\0"
        return wait_for("it answers", lambda: self.ask(message), SECONDS)

    def ask(self, message: bytes) -> str | None:
        """None from one that begins anew at this moment, and does not listen or hangs up on who waits to be heard."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            try:
                connection.connect(str(self.installation.socket))
                connection.sendall(message)
                return connection.recv(4096).decode().strip() or None
            except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError, FileNotFoundError):
                return None

    def end(self) -> Ended:
        output, errors = self.process.communicate(timeout=SECONDS)
        return Ended(output, errors, self.process.returncode)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=SECONDS)
