"""Group `preflight`: what is found out before a start, how soon, and how often it is wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosslogic import broken_models, swift
from crosslogic.bench.figures import Figure, figure
from crosslogic.engine import Engine
from crosslogic.model import Tensor, safetensors
from crosslogic.preflight import WRONG_ASSIGNMENTS, Answer, ask, assignment
from crosslogic.relay import DelayRelay
from crosslogic.stack import Stack

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

ROUND_TRIP = 0.020
SHARDS = 30
TENSORS = 24
"""Of a shard, as in a model of 70 billion parameters."""

MANY_SHARDS = "acme/thirty-shards"


def distant_store(bench: Bench) -> list[Figure]:
    """Thirty shards at 20 ms, everything well; in a command of its own, so with connections yet to be made."""
    inside, outside = [], []
    with bench.stack() as stack:
        stack.start_store()
        stack.store.upload(thirty_shards(stack.folder / "thirty"), MANY_SHARDS)
        engine = stack.simulated_engine()
        with DelayRelay(stack.store.endpoint, ROUND_TRIP) as relay:
            for number in range(bench.count(15)):
                bench.note(f"preflight: {SHARDS} shards at {ROUND_TRIP * 1000:.0f} ms, run {number + 1}")
                began = time.monotonic()
                answer = preflight(stack, engine, assignment(stack.store, relay.url, MANY_SHARDS))
                outside.append(time.monotonic() - began)
                inside.append(answer.document["seconds"])
                check_all_shards_were_read(answer)
    name = f"preflight, {SHARDS} shards at {ROUND_TRIP * 1000:.0f} ms round trip"
    return [figure(name, inside, "s", goal=1), figure(f"{name}: the whole command", outside, "s")]


def verdicts(bench: Bench) -> list[Figure]:
    """Healthy and broken stores at 20 ms: is each called what it is, and how soon?"""
    false: list[str] = []
    took: list[float] = []
    asked = 0
    with bench.stack() as stack:
        stack.start_store()
        engine = stack.simulated_engine()
        with DelayRelay(stack.store.endpoint, ROUND_TRIP) as relay:
            cases = list(stores(stack, relay.url))
            for _ in range(bench.count(3)):
                for name, wanted, expected in cases:
                    bench.note(f"preflight: verdict on {name}")
                    began = time.monotonic()
                    failure = preflight(stack, engine, wanted).failure
                    if expected:
                        took.append(time.monotonic() - began)
                    if failure != expected:
                        false.append(f"{name}: {failure}, not {expected}")
                    asked += 1
    for line in false:
        bench.console.line(f"false verdict: {line}")
    return [
        figure(f"false verdicts over {asked} looks at {len(cases)} stores", [len(false)], "", goal=0),
        figure("final verdict on a store that cannot work, slowest, whole command", took, "s", goal=2, value=max),
    ]


def stores(stack: Stack, endpoint: str) -> list[tuple[str, dict[str, Any], str | None]]:
    """Name, assignment and the class of its failure, None where it can work."""
    cases: list[tuple[str, dict[str, Any], str | None]] = [("healthy", assignment(stack.store, endpoint), None)]
    for change, failure in WRONG_ASSIGNMENTS.items():
        wanted = assignment(stack.store, endpoint)
        change(wanted)
        cases.append((change.__name__, wanted, failure))
    scratch = stack.folder / "models"
    broken: dict[Callable[[Path], None], str | None] = {
        **broken_models.FATAL,
        **dict.fromkeys(broken_models.WARNED),
    }
    for spoil, failure in broken.items():
        model = broken_models.upload(stack.store, spoil, scratch)
        cases.append((spoil.__name__, assignment(stack.store, endpoint, model), failure))
    return cases


def preflight(stack: Stack, engine: Engine, wanted: dict[str, Any]) -> Answer:
    return ask(stack.binaries / swift.AGENT, "preflight", wanted, stack.folder, engine, "--json")


def check_all_shards_were_read(answer: Answer) -> None:
    """A preflight that gave up on some would be a fast one."""
    wrong = [f for f in answer.document["findings"] if f["check"] in {"shards", "sizes"} and f["level"] != "ok"]
    if wrong or answer.code != 0:
        raise RuntimeError(f"the healthy store was not found healthy: {wrong or answer.complaint}")


def thirty_shards(folder: Path) -> Path:
    """Headers as long as a large model's; tensors of a few bytes, which nobody reads here."""
    folder.mkdir()
    weight_map = {}
    for shard in range(1, SHARDS + 1):
        name = f"model-{shard:05}-of-{SHARDS:05}.safetensors"
        tensors = [Tensor(f"model.layers.{shard}.mlp.experts.{n}.down_proj.weight", 8, 8) for n in range(TENSORS)]
        (folder / name).write_bytes(safetensors(tensors, [bytes(tensor.size) for tensor in tensors]))
        weight_map.update({tensor.name: name for tensor in tensors})
    (folder / broken_models.INDEX).write_text(json.dumps({"weight_map": weight_map}))
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}")
    return folder


FIGURES = [distant_store, verdicts]
