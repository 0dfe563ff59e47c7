"""What the tests of notices have in common."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

from crosslogic.agent import Agent
from crosslogic.metadata import Asked, MetadataDouble
from crosslogic.model import MODEL
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane

LOOK = "instance-action"
"""What AWS is asked."""

SEEN_WITHIN = 4.0
"""Seconds. Looks are a second apart; one that hangs is given up after two."""

Serve = Callable[..., Agent]
"""Starts an agent on a cloud, and answers when it serves."""


def sources(agent: Agent) -> dict[str, dict[str, Any]]:
    return {source["name"]: source for source in agent.heartbeat()["notice_sources"]}


def wait_for_source(agent: Agent, name: str, state: str, seconds: float) -> dict[str, Any]:
    return wait_for(
        f"{name} is {state}",
        lambda: (found := sources(agent).get(name)) and found["state"] == state and found,
        seconds,
    )


def told(plane: ScriptedControlPlane, name: str = "preemption", seconds: float = 10) -> dict[str, Any]:
    return plane.wait_for_event(name, seconds)["data"]


def looks(double: MetadataDouble, path: str, until: float) -> list[Asked]:
    with double.changed:
        return [asked for asked in double.asked if path in asked.path and asked.at <= until]


def looks_until_seen(double: MetadataDouble, path: str, visible: float, event: dict[str, Any]) -> int:
    """Of those that could see the notice. None: it came by a look that was under way."""
    seen = event["notice"]["first_seen_s"]
    return sum(look.at > visible for look in looks(double, path, seen))


def was_seen_soon(event: dict[str, Any], visible: float) -> bool:
    """By the agent's own clock: what comes after it, up to the control plane, is not in it."""
    return event["notice"]["first_seen_s"] - visible < SEEN_WITHIN


def is_counted_as_one(event: dict[str, Any]) -> bool:
    """Or not counted: no notice waits for an engine that is slow to say what it does. Then `preempted` knows: assert
    what it says has `finished`, or was `cut`.
    """
    return event["in_flight"] in (1, None)


class Streaming:
    """One completion, token by token, read on a thread."""

    def __init__(self, agent: Agent, tokens: int) -> None:
        body = json.dumps(
            {"model": MODEL, "prompt": "Hello", "max_tokens": tokens, "stream": True, "ignore_eos": True}
        ).encode()
        self.client = socket.create_connection(("127.0.0.1", agent.engine_port))
        self.client.sendall(
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        self.received = self.client.recv(65536)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        try:
            while chunk := self.client.recv(65536):
                self.received += chunk
        except OSError:
            pass

    def tokens(self, seconds: float) -> int:
        self.thread.join(seconds)
        self.client.close()
        return self.received.count(b"data: {")
