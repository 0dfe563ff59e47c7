"""The node agent as an operator runs it: an env-file, a notify socket, a heartbeat."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from crosslogic import http
from crosslogic.control_plane import write_env_file
from crosslogic.engine import Engine
from crosslogic.notify import NotifySocket
from crosslogic.part import Part


class Agent:
    """`folder` is the run's; everything this agent writes is below it, except vLLM's own caches."""

    def __init__(
        self,
        binary: Path,
        folder: Path,
        engine: Engine,
        settings: dict[str, str],
        log: Path,
        engine_log: Path,
        cache: Path,
    ) -> None:
        self.binary = binary
        self.engine = engine
        self.log = log
        self.engine_log = engine_log
        self.folder = folder
        self.env_file = folder / "node-agent.env"
        self.runtime = folder / "run"
        self.settings = {
            "CROSSLOGIC_ENGINE": str(engine.executable),
            "CROSSLOGIC_ENGINE_ARGS": " ".join(engine.arguments),
            "CROSSLOGIC_ENGINE_LOG": str(engine_log),
            "CROSSLOGIC_HEARTBEAT_LISTEN": "127.0.0.1:0",
            "CROSSLOGIC_STATE_DIR": str(folder / "state"),
            "CROSSLOGIC_RUNTIME_DIR": str(self.runtime),
            "CROSSLOGIC_CACHE_DIR": str(cache),
            **engine.environment,
            **settings,
        }
        self.process_environment: dict[str, str] = {}
        """Besides the env-file: what libraries read for themselves."""
        self.notify: NotifySocket | None = None
        self.part: Part | None = None
        self._heartbeat_url: str | None = None

    @property
    def running(self) -> Part:
        if self.part is None:
            raise RuntimeError("the agent has not been started")
        return self.part

    def start(self) -> None:
        write_env_file(self.env_file, self.settings)
        if self.notify:
            self.notify.close()
        self.notify = NotifySocket(self.folder / "notify")
        self._heartbeat_url = None
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "TMPDIR": "/tmp",
            "NOTIFY_SOCKET": str(self.notify.path),
            **self.process_environment,
        }
        command = [self.binary, "run", "--env-file", self.env_file, "--engine-host", "child"]
        self.part = Part("node agent", command, self.log, environment)

    @property
    def heartbeat_url(self) -> str:
        """From the agent's log: the port is any free one."""
        if self._heartbeat_url is None:
            self._heartbeat_url = self.running.wait_for_line(r"heartbeat on (https?://[^\s/]+)", 15)[1]
        return self._heartbeat_url

    def heartbeat(self) -> dict[str, Any]:
        return http.call("GET", self.heartbeat_url + "/v1/heartbeat").json

    def timeline(self) -> dict[str, Any]:
        return http.call("GET", self.heartbeat_url + "/v1/timeline").json

    @property
    def engine_port(self) -> int:
        return int(self.settings["CROSSLOGIC_ENGINE_PORT"])

    @property
    def engine_url(self) -> str:
        return f"http://127.0.0.1:{self.engine_port}"

    @property
    def engine_sockets(self) -> list[Path]:
        """Of its engine's processes, those that run and those that were killed."""
        return [path for path in (self.runtime / "rpc").glob("*") if path.is_socket()]

    def close(self) -> None:
        if self.notify:
            self.notify.close()
            self.notify = None
