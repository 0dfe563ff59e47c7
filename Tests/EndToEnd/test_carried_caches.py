"""What the first node compiles is there for the second one; what nobody of the fleet has signed is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crosslogic.agent import Agent
from crosslogic.contract import contract, event_faults
from crosslogic.engine import SimulatedEngine
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from scripted_control_plane import ScriptedControlPlane
from support import StartAgent, assignment, wait_for_state

SIGNING_KEY = "0123456789abcdef0123456789abcdef"
LATER = 20

# What the compilers do: load what is there, else compile and save it.
COMPILES = """
folder="$VLLM_CACHE_ROOT/torch_compile_cache/torch_aot_compile/ab12${SIMULATED_VLLM_CODE-}"
says() { echo "(EngineCore pid=7) INFO 11-22 03:00:00 [decorators.py:321] $1 $folder/model"; }
if [ -e "$folder/model" ]; then
    says "Directly load AOT compilation from path"
else
    mkdir -p "$folder" "$VLLM_CACHE_ROOT/modelinfos"
    [ "$SIMULATED_VLLM_BULK" = 0 ] || head -c "$SIMULATED_VLLM_BULK" /dev/zero >"$folder/bulk"
    echo compiled >"$folder/model"
    echo '{}' >"$VLLM_CACHE_ROOT/modelinfos/llama.json"
    printf '{"env":{"VLLM_CODE":"%s"},"config_hash":"1"}' "${SIMULATED_VLLM_CODE-}" >"$folder/cache_key_factors.json"
    says "saved AOT compiled function to"
fi
"""


class Fleet:
    """Nodes of the same software and machine, one after the other, each with an empty disk."""

    def __init__(self, stack: Stack, plane: ScriptedControlPlane, engine: SimulatedEngine, start: StartAgent) -> None:
        self.stack = stack
        self.plane = plane
        self.engine = engine
        self.start_agent = start
        # The same path on every node, as it is part of what is compiled.
        self.cache = stack.folder / "node-cache"
        self.prefix = f"caches-{len(stack.agents)}"
        self.last_heartbeat: dict[str, Any] = {}
        self.compile()

    def compile(self, code: str = "", bulk: int = 0) -> None:
        """`bulk`: bytes of what is compiled, besides."""
        self.engine.behave()
        with self.engine.switches_file.open("a") as switches:
            switches.write(f"SIMULATED_VLLM_CODE={code}\nSIMULATED_VLLM_BULK={bulk}\n{COMPILES}")

    def node(self, says: str, **settings: str) -> Agent:
        """A start on a new node, up to what it says about its caches after READY; then that node is gone."""
        agent = self.begin(says, {}, **settings)
        agent.running.stop(30)
        return agent

    def begin(self, says: str, wanted: dict[str, Any], **settings: str) -> Agent:
        """The same, and the node stays."""
        shutil.rmtree(self.cache, ignore_errors=True)
        self.plane.assign(**assignment(self.stack, **wanted))
        agent = self.start_agent(
            self.plane.url,
            CROSSLOGIC_CACHE_DIR=str(self.cache),
            CROSSLOGIC_CACHE_URI=f"s3://{BUCKET}/{self.prefix}",
            CROSSLOGIC_CACHE_SIGNING_KEY=SIGNING_KEY,
            **settings,
        )
        wait_for_state(agent, "serving")
        agent.running.wait_for_line(says, LATER)
        self.last_heartbeat = agent.heartbeat()
        return agent

    def verdicts(self) -> list[dict[str, Any]]:
        """Of all starts so far, as the control plane was told."""
        told = [event for event in self.plane.events if event["type"] == "io.crosslogic.node.caches.v1"]
        return [event["data"]["caches"] for event in told]

    @property
    def stored(self) -> list[Path]:
        folder = self.stack.folder / "s3" / BUCKET / self.prefix
        return sorted(path for path in folder.rglob("*") if path.is_file())

    def replace(self, stored: Path, contents: bytes) -> None:
        """Over the wire: the server remembers for a while how long a file was."""
        folder = Path(tempfile.mkdtemp(dir=self.stack.folder))
        (folder / stored.name).write_bytes(contents)
        self.stack.store.upload(folder, f"{self.prefix}/{stored.parent.name}")

    @property
    def compiled(self) -> Path:
        return self.cache / "vllm" / "torch_compile_cache" / "torch_aot_compile" / "ab12" / "model"


@pytest.fixture
def fleet(stack: Stack, plane: ScriptedControlPlane, stand_in: SimulatedEngine, start_agent: StartAgent) -> Fleet:
    return Fleet(stack, plane, stand_in, start_agent)


CARRIED = r"carried caches: \d+ files, \d+ bytes are in the store"
USED = r"carried caches were used: nothing was compiled"


def test_second_node_loads_what_the_first_one_has_compiled(fleet: Fleet) -> None:
    first = fleet.node(CARRIED)
    assert "carried caches: none for this start yet" in first.log.read_text()
    assert [path.name for path in fleet.stored if path.name == "manifest"] == ["manifest"]
    second = fleet.node(USED)
    assert "bytes in place after" in second.log.read_text()
    assert "Directly load AOT" in second.engine_log.read_text()
    assert fleet.compiled.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (second.folder / "state" / "caches" / "outgoing").iterdir()] == []


def test_signing_key_and_its_signature_are_nowhere_to_be_read(fleet: Fleet) -> None:
    agent = fleet.node(CARRIED)
    texts = [agent.log, agent.engine_log, *fleet.stored]
    assert not [path for path in texts if SIGNING_KEY in path.read_text(errors="replace")]


def poisoned_part(fleet: Fleet) -> None:
    part = next(path for path in fleet.stored if path.name != "manifest")
    fleet.replace(part, part.read_bytes().replace(b"compiled", b"poisoned"))


def poisoned_manifest(fleet: Fleet) -> None:
    manifest = next(path for path in fleet.stored if path.name == "manifest")
    fleet.replace(manifest, manifest.read_bytes().replace(b"model\n", b"other\n"))


def manifest_of_another_key(fleet: Fleet) -> None:
    manifest = next(path for path in fleet.stored if path.name == "manifest")
    fleet.node(CARRIED, VLLM_FOREIGN="1")
    foreign = next(path for path in fleet.stored if path.name == "manifest" and path != manifest)
    fleet.replace(manifest, foreign.read_bytes())


@pytest.mark.parametrize("poison", [poisoned_part, poisoned_manifest, manifest_of_another_key])
def test_what_is_not_signed_by_the_fleet_is_never_unpacked(fleet: Fleet, poison: Callable[[Fleet], None]) -> None:
    fleet.node(CARRIED)
    poison(fleet)
    # Compiles by itself, and mends what is in the store.
    second = fleet.node(CARRIED)
    assert "carried caches are not used: what is in the store has" in second.log.read_text()
    assert "saved AOT compiled function" in second.engine_log.read_text()
    assert fleet.compiled.read_text() == "compiled\n"
    fleet.node(USED)


def test_start_that_differs_says_in_what(fleet: Fleet) -> None:
    fleet.node(CARRIED)
    other = fleet.node(CARRIED, VLLM_ATTENTION_BACKEND="other")
    assert "the nearest start that has some differs in env:VLLM_ATTENTION_BACKEND" in other.log.read_text()
    verdict = fleet.verdicts()[-1]
    assert (verdict["outcome"], verdict["differences"]) == ("absent", ["env:VLLM_ATTENTION_BACKEND"])


def test_each_start_tells_the_control_plane_what_its_caches_were_good_for(fleet: Fleet) -> None:
    fleet.node(CARRIED)
    fleet.node(USED)
    fleet.compile("34")
    fleet.node(r"carried caches were not used")
    first, second, third = fleet.verdicts()
    assert (first["outcome"], first["files"]) == ("absent", 0)
    assert (second["outcome"], second["files"], second["compiled_files"]) == ("used", 3, 0)
    assert (third["outcome"], third["compiled_files"], third["differences"]) == ("not_used", 2, ["VLLM_CODE"])
    assert len({verdict["key"] for verdict in (first, second, third)}) == 1
    assert fleet.last_heartbeat["caches"] == third
    assert contract().faults("Heartbeat", fleet.last_heartbeat) == []
    assert event_faults(fleet.plane.events) == []


def test_caches_that_were_not_used_are_named_with_vllms_own_factor(fleet: Fleet) -> None:
    fleet.node(CARRIED)
    fleet.compile("34")
    fleet.node(r"carried caches were not used: 2 files were compiled anew; differs: VLLM_CODE")


def test_read_only_node_puts_nothing_there(fleet: Fleet) -> None:
    fleet.node("carried caches: none for this start yet", CROSSLOGIC_CACHE_WRITE="false")
    assert fleet.stored == []


def test_rejected_credentials_cost_a_compilation_and_nothing_else(fleet: Fleet) -> None:
    agent = fleet.node(
        "carried caches are not used: the store: 403",
        CROSSLOGIC_CACHE_ACCESS_KEY="nobody",
        CROSSLOGIC_CACHE_SECRET_KEY="nothing",
    )
    assert "saved AOT compiled function" in agent.engine_log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_disk_too_small_for_them_costs_a_compilation_and_holds_nothing_half(fleet: Fleet) -> None:
    fleet.compile(bulk=4 << 20)
    fleet.node(CARRIED)
    fleet.compile()
    fleet.cache.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", fleet.cache], check=True)
    try:
        second = fleet.node("carried caches are not used: .*: No space left on device")
        assert "saved AOT compiled function" in second.engine_log.read_text()
        assert not fleet.compiled.with_name("bulk").exists()
        assert list((fleet.cache / "vllm" / "unpacking").iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", fleet.cache], check=True)
    # What could not be unpacked is still there for others.
    fleet.node(USED)


def test_longest_unused_caches_go(fleet: Fleet) -> None:
    fleet.node(CARRIED)
    before = {path.parent.name for path in fleet.stored}
    limit = str(sum(path.stat().st_size for path in fleet.stored) + 10)
    fleet.node("carried caches: removed", VLLM_OTHER="1", CROSSLOGIC_CACHE_LIMIT=limit)
    after = {path.parent.name for path in fleet.stored}
    assert len(before) == len(after) == 1
    assert before != after


def test_caches_of_the_next_assignment_come_while_the_engine_before_serves(fleet: Fleet) -> None:
    fleet.node(CARRIED)
    agent = fleet.begin(CARRIED, {"extra_args": ["--max-num-seqs", "7"]})
    fleet.plane.assign(**assignment(fleet.stack, 2))
    agent.running.wait_for_line(USED, LATER)
    told = agent.running.text()
    assert told.index("bytes in place after") < told.index("draining")
    agent.running.stop(30)
