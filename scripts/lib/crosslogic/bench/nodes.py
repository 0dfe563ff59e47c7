"""What the group `systemd` measures against: control planes with a clock, and a node on a machine of the tests."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from crosslogic.bench.receiving import EventHandler, Server
from crosslogic.paths import ROOT
from crosslogic.stack import Stack

# The node with its units, and the control plane that does as it is told, are the tests'.
sys.path += [str(ROOT / "Tests" / part) for part in ("Systemd", "EndToEnd")]

from node import AGENT, Node, assignment, stand_in
from scripted_control_plane import ScriptedControlPlane

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

__all__ = ["AGENT", "ChangingControlPlane", "Node", "TimedControlPlane", "assignment", "node_on_machine"]

SPEED = 40.0


class TimedControlPlane(ScriptedControlPlane):
    """Writes down when it has taken each failure."""

    def __init__(self) -> None:
        self.failed: list[float] = []
        super().__init__()

    def take(self, events: list[dict[str, Any]]) -> None:
        super().take(events)
        now = time.monotonic()
        self.failed += [now for event in events if event["type"] == "io.crosslogic.node.failed.v1"]


@contextmanager
def node_on_machine(bench: Bench) -> Iterator[tuple[Node, Stack, TimedControlPlane]]:
    with bench.stack() as stack, closing(TimedControlPlane()) as plane:
        stack.start_store()
        node = Node(stack, stand_in(stack, SPEED), plane.url, CROSSLOGIC_PREFLIGHT="off")
        with node.machine:
            yield node, stack, plane


class ChangingControlPlane:
    """Has a new assignment once the engine of the one before has failed, as often as it is allowed."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.taken = 0
        self.failed = 0
        """The newest generation whose engine has failed."""
        self.allowed = 0
        self.is_closing = False
        plane = self

        class Handler(EventHandler):
            def do_GET(self) -> None:
                generation = plane.next()
                if generation:
                    self.give(200, document(generation), ETag=f'"{generation}"')
                else:
                    self.give(304)

            def do_POST(self) -> None:
                for event in self.accept_events():
                    if event["type"] == "io.crosslogic.node.failed.v1":
                        plane.note_failure(event["data"]["generation"])

        self.server = Server(Handler)
        self.url = self.server.url

    def next(self) -> int | None:
        """None when there is none for a while."""

        def is_due() -> bool:
            return self.is_closing or self.failed == self.taken < self.allowed

        with self.changed:
            if not self.changed.wait_for(is_due, timeout=20):
                return None
            self.taken += 1
            self.changed.notify_all()
            return self.taken

    def note_failure(self, generation: int) -> None:
        with self.changed:
            self.failed = max(self.failed, generation)
            self.changed.notify_all()

    def allow(self, more: int) -> None:
        with self.changed:
            self.allowed = self.taken + more
            self.changed.notify_all()

    def wait_until_taken(self, count: int, seconds: float) -> None:
        with self.changed:
            if not self.changed.wait_for(lambda: self.taken >= count, timeout=seconds):
                raise TimeoutError(f"{self.taken} of {count} assignments were taken within {seconds} s")

    def close(self) -> None:
        with self.changed:
            self.is_closing = True
            self.changed.notify_all()
        self.server.close()


def document(generation: int) -> dict[str, Any]:
    return {
        "generation": generation,
        "model": "acme/tiny-llama",
        "model_uri": "s3://models/acme/tiny-llama",
        "r2": {
            "endpoint": "http://127.0.0.1:9",
            "bucket": "models",
            "access_key_id": "key",
            "secret_access_key": "secret",
        },
    }
