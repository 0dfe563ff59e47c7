"""One flight of the whole system, recorded: every test of `test_mission.py` looks at the same record."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosslogic import http, procfs
from crosslogic.agent import Agent
from crosslogic.engine import Engine
from crosslogic.model import MODEL
from crosslogic.notify import Notification
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for

EVENT_PREFIX = "io.crosslogic.node."


@dataclass
class Serving:
    """What could be seen once the model served."""

    heartbeat: dict[str, Any]
    node: dict[str, Any]
    notifications: list[Notification]
    engine_processes: list[procfs.Process]
    engine_sockets: set[Path]
    engine_env_mode: int
    ready_status: int
    completion: http.Answer


@dataclass
class Record:
    agent: Agent
    node: str
    beats: list[dict[str, Any]] = field(default_factory=list)
    ready_codes_before: list[int] = field(default_factory=list)
    serving: Serving | None = None
    failed_after: float | None = None
    failed_event: dict[str, Any] | None = None
    served_again: Serving | None = None
    exit_code: int | None = None
    stop_seconds: float | None = None
    left_over: list[str] = field(default_factory=list)
    survivors: list[procfs.Process] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    final_node: dict[str, Any] = field(default_factory=dict)
    leaked: list[str] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    def events_of(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == f"{EVENT_PREFIX}{name}.v1"]

    def first_serving(self) -> Serving:
        assert self.serving, "the flight did not get to serving"
        return self.serving


class Flight:
    def __init__(self, stack: Stack, engine: Engine) -> None:
        self.stack = stack
        self.engine = engine
        self.plane = stack.start_control_plane()
        node, token = self.plane.create_node()
        self.agent = stack.add_agent(engine, node, token)
        self.record = Record(self.agent, node)

    def fly(self) -> Record:
        self.agent.start()
        self.record.serving = self.until_serving(restarts=0)
        self.kill_engine_core()
        self.record.served_again = self.until_serving(restarts=1)
        self.stop()
        return self.record

    def until_serving(self, restarts: int) -> Serving:
        """Watches the heartbeat all the way; its samples are part of the record."""

        def look() -> dict[str, Any] | None:
            # In this order: it may become ready between the two looks.
            ready = http.try_get(self.agent.heartbeat_url + "/readyz")
            answer = http.try_get(self.agent.heartbeat_url + "/v1/heartbeat")
            if ready is None or answer is None or answer.status != 200:
                return None
            beat = answer.json
            self.record.beats.append(beat)
            if beat["state"] != "serving":
                self.record.ready_codes_before.append(ready.status)
            return beat if beat["state"] == "serving" and beat["engine"]["restarts"] == restarts else None

        wait_for("the model serves", look, self.engine.start_seconds, self.agent.running.why_gone)
        wait_for("the ready event", lambda: self.ready_event(restarts), 10)
        # Acknowledged is a moment after received.
        wait_for("READY is acknowledged", lambda: "ready_acked" in self.phases(), 10)
        return Serving(
            heartbeat=self.agent.heartbeat(),
            node=self.plane.node(self.record.node),
            notifications=list(self.agent.notify.received) if self.agent.notify else [],
            engine_processes=self.engine_processes(),
            engine_sockets=procfs.bound_sockets([process.pid for process in self.engine_processes()]),
            engine_env_mode=(self.agent.runtime / "engine.env").stat().st_mode & 0o777,
            ready_status=http.call("GET", self.agent.heartbeat_url + "/readyz").status,
            completion=self.complete(),
        )

    def phases(self) -> list[str]:
        return [mark["phase"] for mark in self.agent.heartbeat()["timeline"]]

    def ready_event(self, number: int) -> dict[str, Any] | None:
        ready = [e for e in self.plane.events(self.record.node) if e["type"] == f"{EVENT_PREFIX}ready.v1"]
        return ready[number] if len(ready) > number else None

    def engine_processes(self) -> list[procfs.Process]:
        return [p for p in procfs.writing_below(self.agent.folder) if p.session != self.agent.running.pid]

    def complete(self) -> http.Answer:
        request = {"model": MODEL, "prompt": "The quick fox", "max_tokens": 8}
        return http.call("POST", self.agent.engine_url + "/v1/completions", request, seconds=60)

    def kill_engine_core(self) -> None:
        core = next(p for p in self.engine_processes() if p.title == "VLLM::EngineCore")
        killed_at = time.clock_gettime(time.CLOCK_BOOTTIME)
        os.kill(core.pid, signal.SIGKILL)
        self.record.failed_event = wait_for("the failed event", self.failed_event, 15)
        # By the agent's own clock: a look at the control plane takes a moment, too.
        self.record.failed_after = self.record.failed_event["data"]["monotonic_ns"] / 1e9 - killed_at

    def failed_event(self) -> dict[str, Any] | None:
        events = self.plane.events(self.record.node)
        return next((e for e in events if e["type"] == f"{EVENT_PREFIX}failed.v1"), None)

    def stop(self) -> None:
        before = self.engine_processes()
        started = time.monotonic()
        self.agent.running.send(signal.SIGTERM)
        self.record.exit_code = self.agent.running.wait(60)
        self.record.stop_seconds = time.monotonic() - started
        self.record.survivors = [p for p in before if procfs.is_running(p.pid)]
        self.record.left_over = self.stack.left_over(self.agent)
        self.record.events = self.plane.events(self.record.node)
        self.record.final_node = self.plane.node(self.record.node)
        self.record.notifications = list(self.agent.notify.received) if self.agent.notify else []
        reports = [self.record.events, self.record.beats, self.record.final_node, self.record.notifications]
        self.record.leaked = self.stack.leaked_secrets(reports)


def complete_flight(stack: Stack, engine: Engine) -> Record:
    flight = Flight(stack, engine)
    try:
        return flight.fly()
    except BaseException:
        stack.keep_folder = True
        with contextlib.suppress(Exception):
            print(f"logs: {stack.folder}\n{flight.agent.log.read_text()[-4000:]}")
        raise
