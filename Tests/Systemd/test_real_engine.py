"""The real vLLM in its units: as it is, and as one that waits and takes over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from crosslogic import http, launchable
from crosslogic.engine import Engine
from crosslogic.model import MODEL
from crosslogic.stack import Stack
from node import AGENT, ENGINE, SPARE, Node, assignment
from scripted_control_plane import ScriptedControlPlane
from test_checkpoint import CHECKPOINT, RESTORED, wait_for_checkpoint
from test_standby import crash, how_it_was_started

pytestmark = pytest.mark.real

PARKS_WITHIN = 120
KEEPS_WITHIN = 400
"""It is kept with what others leave of the processors."""

MakeRealNode = Callable[..., Node]


@pytest.fixture
def make_real_node(stack: Stack, plane: ScriptedControlPlane, real_engine: Engine) -> Iterator[MakeRealNode]:
    nodes: list[Node] = []

    def make(**settings: str) -> Node:
        node = Node(stack, real_engine, plane.url, CROSSLOGIC_ENGINE=str(real_engine.executable.resolve()), **settings)
        nodes.append(node)
        node.machine.__enter__()
        node.reach_engine()
        return node

    yield make
    for node in nodes:
        node.keep_logs()
        node.machine.__exit__(None, None, None)


def completion(node: Node) -> str:
    request = {"model": MODEL, "prompt": "the dog reads", "max_tokens": 8, "temperature": 0}
    answer = http.call("POST", f"http://127.0.0.1:{node.engine_port}/v1/completions", request, seconds=60)
    assert answer.status == 200, answer.text
    return str(answer.json["choices"][0]["text"])


def test_it_serves_in_its_unit(
    make_real_node: MakeRealNode, stack: Stack, plane: ScriptedControlPlane, real_engine: Engine
) -> None:
    node = make_real_node()
    plane.assign(**assignment(stack))
    beat = node.start_and_serve(real_engine.start_seconds)
    node.systemctl("restart", AGENT)
    assert node.wait_for_state("serving")["engine"]["pid"] == beat["engine"]["pid"]
    node.systemctl("stop", AGENT)
    assert node.engine_pids() == []
    assert (node.last_exit() or {})["result"] == "success"


def test_after_a_crash_the_one_that_waits_in_the_other_unit_serves(
    make_real_node: MakeRealNode, stack: Stack, plane: ScriptedControlPlane, real_engine: Engine
) -> None:
    launchable.record_at_installation(real_engine.executable)
    node = make_real_node(CROSSLOGIC_ENGINE_START="standby")
    node.start()
    first = node.parked(seconds=PARKS_WITHIN)
    node.settle(ENGINE, PARKS_WITHIN)
    plane.assign(**assignment(stack))
    beat = node.wait_for_state("serving", real_engine.start_seconds)
    assert beat["engine"]["pid"] == first
    second = node.parked(SPARE, seconds=PARKS_WITHIN)
    node.settle(SPARE, PARKS_WITHIN)

    killed_at = time.monotonic()
    node.systemctl("kill", "--kill-who=main", "--signal=SIGKILL", ENGINE)
    plane.wait_for_event("ready", real_engine.start_seconds, after=1)
    seconds = time.monotonic() - killed_at
    assert node.wait_for_state("serving")["engine"]["pid"] == second == node.main_pid(SPARE)
    assert completion(node)
    print(f"serving again {seconds:.1f} s after the crash")
    node.systemctl("stop", AGENT)
    assert (node.engine_pids(ENGINE), node.engine_pids(SPARE)) == ([], [])


def test_what_it_has_imported_outlives_a_boot_and_gives_the_same_answers(
    make_real_node: MakeRealNode, stack: Stack, plane: ScriptedControlPlane, real_engine: Engine
) -> None:
    launchable.record_at_installation(real_engine.executable)
    node = make_real_node(CROSSLOGIC_ENGINE_START="standby", CROSSLOGIC_CHECKPOINT="off")
    plane.assign(**assignment(stack))
    node.start_and_serve(real_engine.start_seconds)
    before = completion(node)
    # A checkpoint is of the modules that were known when it was kept, and the first start of all has found more.
    node.systemctl("stop", AGENT)
    node.configure(CROSSLOGIC_CHECKPOINT="0.2")
    node.start_and_serve(real_engine.start_seconds)
    wait_for_checkpoint(node, KEEPS_WITHIN)
    content = node.machine.path(CHECKPOINT).read_bytes()
    assert node.canaries.found_in("the checkpoint", content.decode("latin-1")) == []
    # Before the end of the boot, which would be announced for the next one, too: it has the same id.
    node.systemctl("stop", AGENT)
    node.machine.reboot()

    started_at = time.monotonic()
    node.start()
    beat = node.wait_for_state("serving", real_engine.start_seconds)
    print(f"{len(content) >> 20} MiB; serving {time.monotonic() - started_at:.1f} s after the agent's start")
    assert "restored from a checkpoint, " in how_it_was_started(beat)
    second = node.parked(SPARE, seconds=PARKS_WITHIN)
    assert completion(node) == before
    beat = crash(node, ENGINE, real_engine.start_seconds)
    assert beat["engine"]["pid"] == second
    assert how_it_was_started(beat).startswith(RESTORED)
    assert completion(node) == before
    node.systemctl("stop", AGENT)
    assert (node.engine_pids(ENGINE), node.engine_pids(SPARE)) == ([], [])
