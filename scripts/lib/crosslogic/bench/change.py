"""Group `change`: how long nothing serves when a node gets another assignment."""

from __future__ import annotations

import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

from crosslogic import http
from crosslogic.agent import Agent
from crosslogic.bench.figures import Figure, figure
from crosslogic.bench.receiving import EventHandler, Server
from crosslogic.model import MODEL
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack, prepare_engine
from crosslogic.waiting import wait_for

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

SIMULATED_SPEED = 40.0
USUAL_CHANGES = 5
LOOK_EVERY = 0.002


class Assigner:
    """A control plane with one node, which gets whatever is assigned, and whose events are all taken."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.assignment: dict[str, Any] | None = None
        self.timings: dict[int, dict[str, float]] = {}
        """Of each generation's start, as its `ready` says."""
        assigner = self

        class Handler(EventHandler):
            def do_GET(self) -> None:
                known = self.headers.get("If-None-Match")
                with assigner.changed:
                    assigner.changed.wait_for(lambda: assigner.etag not in {None, known}, timeout=5)
                    document, etag = assigner.assignment, assigner.etag
                if document is None or etag == known:
                    self.give(404 if document is None else 304)
                else:
                    self.give(200, document, ETag=str(etag))

            def do_POST(self) -> None:
                for event in self.accept_events():
                    if event["type"].endswith(".ready.v1"):
                        assigner.timings[event["data"]["generation"]] = event["data"]["timings"]

        self.server = Server(Handler)
        self.url = self.server.url

    @property
    def etag(self) -> str | None:
        return f'"{self.assignment["generation"]}"' if self.assignment else None

    def assign(self, document: dict[str, Any]) -> None:
        with self.changed:
            self.assignment = document
            self.changed.notify_all()


def gap(bench: Bench) -> list[Figure]:
    """From the last answer of the engine before to READY of the next, of which its own start is known."""
    gaps, starts, wholes = [], [], []
    with bench.stack() as stack:
        stack.start_store()
        engine = prepare_engine(bench.engine, stack, bench.console, SIMULATED_SPEED)
        assigner = Assigner()
        agent = stack.add_agent(engine, "node-change", "token", url=assigner.url)
        agent.start()
        assigner.assign(assignment(stack, 1))
        wait_until_serving(agent, 1, engine.start_seconds)
        for generation in range(2, 2 + bench.count(USUAL_CHANGES)):
            bench.note(f"change: assignment {generation} while the engine serves")
            gaps.append(change(agent, assigner, assignment(stack, generation), engine.start_seconds))
            timings = wait_for("its ready event", lambda number=generation: assigner.timings.get(number), 10)
            starts.append(timings["exec_to_ready_s"])
            wholes.append(timings["assignment_to_ready_s"])
        agent.running.stop(60)
        assigner.server.close()
    # What it would be if the old engine made way at once: the same steps, and nothing serves during any of them.
    at_once = statistics.median(wholes)
    rests = [1000 * (whole - start) for whole, start in zip(gaps, starts, strict=True)]
    return [
        figure("no answer, of the old engine or the new one (with: since the assignment)", gaps, "s", baseline=at_once),
        figure("of that, from the exec to READY", starts, "s"),
        figure("and the rest: drain, teardown, exec", rests, "ms"),
    ]


def assignment(stack: Stack, generation: int) -> dict[str, Any]:
    return {
        "generation": generation, "model": f"acme/generation-{generation}", "model_uri": f"s3://{BUCKET}/{MODEL}",
        "r2": {
            "endpoint": stack.store.endpoint, "bucket": BUCKET, "access_key_id": stack.store.access_key,
            "secret_access_key": stack.store.secret_key,
        },
    }  # fmt: skip


def wait_until_serving(agent: Agent, generation: int, seconds: float) -> None:
    def look() -> bool:
        answer = http.try_get(agent.heartbeat_url + "/v1/heartbeat")
        beat = answer.json if answer and answer.status == 200 else {}
        return beat.get("state") == "serving" and beat.get("generation") == generation

    wait_for(f"assignment {generation} serves", look, seconds, agent.running.why_gone)


def change(agent: Agent, assigner: Assigner, document: dict[str, Any], seconds: float) -> float:
    """Seconds from the last answer of the old engine to the first heartbeat that says the new one serves."""
    old = served(agent)
    assigner.assign(document)
    last = time.monotonic()

    def made_way() -> bool:
        nonlocal last
        now = time.monotonic()
        if served(agent) != old:
            return True
        last = now
        return False

    wait_for("the old engine makes way", made_way, seconds, agent.running.why_gone, LOOK_EVERY)
    wait_until_serving(agent, document["generation"], seconds)
    return time.monotonic() - last


def served(agent: Agent) -> str | None:
    answer = http.try_get(agent.engine_url + "/v1/models")
    return answer.json["data"][0]["id"] if answer and answer.status == 200 else None


FIGURES = [gap]
