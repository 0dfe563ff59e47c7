"""Agent and control plane are killed at random moments; then both ends are asked what became of the events."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from crosslogic import http, swift
from crosslogic.control_plane import NODE_REQUEST, write_env_file
from crosslogic.engine import Engine
from crosslogic.part import Part
from crosslogic.ports import free_port
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for

LONGEST_PAUSE = 0.6
SETTLES_WITHIN = 90


@dataclass
class Account:
    """What both ends say when all is quiet again."""

    kills: Counter[str] = field(default_factory=Counter)
    events: int = 0
    lost: list[int] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    out_of_order: int = 0
    seed: int = 0


class KillableControlPlane:
    """The reference control plane on one port and one database, however often it is started."""

    def __init__(self, stack: Stack) -> None:
        self.folder = stack.folder / f"killed-control-plane-{len(stack.agents) + 1}"
        self.folder.mkdir()
        self.port = free_port()
        self.env_file = self.folder / "control-plane.env"
        write_env_file(self.env_file, {**stack.r2, "R2_BUCKET": BUCKET})
        self.binary = stack.binaries / swift.CONTROL_PLANE
        self.applied: list[tuple[int, str, int]] = []
        """Row, id and sequence of every event, in the order in which they were applied."""
        self.part = self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Part:
        command: list[str | Path] = [
            self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.folder / "data",
            "--env-file", self.env_file,
        ]  # fmt: skip
        self.part = Part("control plane", command, self.folder / "control-plane.log", {"PATH": "/usr/bin:/bin"})
        wait_for("it answers", lambda: http.try_get(self.url + "/healthz"), 30, self.part.why_gone)
        return self.part

    def ask(self, path: str) -> Any:
        return http.call("GET", self.url + path).json

    def note_applied(self) -> list[int]:
        """Sequences that were there the last time and are not, though older ones are. For when the server is down.

        Again and again, because of a node's events only the newest are kept.
        """
        with sqlite3.connect(next((self.folder / "data").glob("*.sqlite"))) as database:
            kept = database.execute("SELECT rowid, id, sequence FROM events ORDER BY rowid").fetchall()
        last = self.applied[-1][0] if self.applied else 0
        oldest = kept[0][0] if kept else last + 1
        gone = {entry for entry in self.applied if entry[0] > oldest} - set(kept)
        self.applied += [entry for entry in kept if entry[0] > last]
        return [sequence for _, _, sequence in gone]


def run(stack: Stack, kills: int, seed: int | None = None, engine: Engine | None = None) -> Account:
    """Raises NeverCameError when the two do not come to rest."""
    account = Account(seed=random.randrange(1 << 32) if seed is None else seed)
    generator = random.Random(account.seed)
    plane = KillableControlPlane(stack)
    created = http.call("POST", plane.url + "/api/v1/nodes", NODE_REQUEST).json
    agent = stack.add_agent(engine or stack.simulated_engine(20), created["id"], created["token"], url=plane.url)
    agent.start()
    for number in range(kills):
        time.sleep(generator.uniform(0, LONGEST_PAUSE))
        if generator.random() < 0.7:
            agent.running.send(signal.SIGKILL)
            agent.running.wait(10)
            agent.log = agent.folder / f"agent-{number % 8}.log"
            agent.start()
            account.kills["agent"] += 1
        else:
            plane.part.send(signal.SIGKILL)
            plane.part.wait(10)
            account.lost += plane.note_applied()
            plane.start()
            account.kills["control plane"] += 1
    wait_for("the model serves", lambda: is_serving(plane, created["id"]), SETTLES_WITHIN, agent.running.why_gone)
    agent.running.stop(30)
    plane.part.stop(10)
    account.lost += plane.note_applied()
    settle(account, [(key, number) for _, key, number in plane.applied], agent.folder / "state" / "outbox")
    return account


def is_serving(plane: KillableControlPlane, node: str) -> bool:
    return plane.ask(f"/api/v1/nodes/{node}")["state"] == "serving"


def settle(account: Account, applied: list[tuple[str, int]], outbox: Path) -> None:
    """The agent's end says how many there were, the control plane's which have come."""
    used = max(int(path.stem) for path in outbox.glob("*.acknowledged"))
    waiting = [int(path.stem) for path in outbox.glob("*.json")]
    numbers = Counter(number for _, number in applied)
    account.events = len(applied)
    account.lost += [number for number in range(1, used + 1) if number not in numbers] + waiting
    account.twice = [key for key, count in Counter(key for key, _ in applied).items() if count > 1]
    account.twice += [str(number) for number, count in numbers.items() if count > 1]
    account.out_of_order = sum(later < earlier for (_, earlier), (_, later) in pairwise(applied))
