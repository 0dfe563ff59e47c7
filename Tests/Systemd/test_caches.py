"""Carried caches and read-ahead where agent and engine are two users, and neither may do the other's part."""

from __future__ import annotations

import re

from conftest import MakeNode
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import InstalledStandIn, Node, assignment
from scripted_control_plane import ScriptedControlPlane

COMPILED = "/var/cache/crosslogic/vllm/torch_compile_cache/torch_aot_compile/ab12/model"

COMPILES = """
model="$VLLM_CACHE_ROOT/torch_compile_cache/torch_aot_compile/ab12/model"
says() { echo "(EngineCore pid=7) INFO 11-22 03:00:00 [decorators.py:321] $1 $model"; }
if [ -e "$model" ]; then
    says "Directly load AOT compilation from path"
else
    mkdir -p "${model%/*}"
    echo compiled >"$model"
    says "saved AOT compiled function to"
fi
"""


def carrying(make_node: MakeNode, engine: InstalledStandIn) -> Node:
    engine.behave()
    with engine.switches_file.open("a") as switches:
        switches.write(COMPILES)
    return make_node(
        CROSSLOGIC_CACHE_URI=f"s3://{BUCKET}/caches",
        CROSSLOGIC_CACHE_SIGNING_KEY="0123456789abcdef0123456789abcdef",
    )


def wait_for_words(node: Node, words: str) -> None:
    wait_for(words, lambda: re.search(words, node.machine.journal()), 40)


def test_second_machine_uses_what_the_first_has_compiled(
    make_node: MakeNode, engine: InstalledStandIn, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**assignment(stack))
    first = carrying(make_node, engine)
    first.start_and_serve()
    wait_for_words(first, "carried caches: .* are in the store")
    wait_for("nothing is left", lambda: first.machine.run("ls", "/var/cache/crosslogic-caches").out == "", 20)
    first.systemctl("stop", "crosslogic-node-agent.service")

    second = carrying(make_node, engine)
    second.start_and_serve()
    wait_for_words(second, "carried caches were used: nothing was compiled")
    assert second.machine.run("stat", "-c", "%U %a", COMPILED).out.split() == ["vllm", "600"]
    for folder in (COMPILED.rpartition("/")[0], "/var/cache/crosslogic"):
        assert second.machine.run("stat", "-c", "%U", folder).out.strip() == "vllm"
    # Neither the agent nor anybody else may put code where the engine looks for it.
    for user in ("crosslogic", "nobody"):
        script = f"test -w {COMPILED} || test -w /var/cache/crosslogic || test -w /var/cache/crosslogic-caches"
        assert second.machine.run("runuser", "-u", user, "--", "sh", "-c", script, check=False).code != 0
    # Nor the engine where the agent keeps what it has checked.
    incoming = "/var/lib/crosslogic/caches-incoming"
    assert second.machine.run("runuser", "-u", "vllm", "--", "test", "-w", incoming, check=False).code != 0
    assert second.machine.run("runuser", "-u", "vllm", "--", "test", "-r", f"{incoming}/index").code == 0


def test_what_a_start_needed_is_written_down_and_read_at_the_next_boot(
    node: Node, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    plan = "/var/cache/crosslogic-read-ahead/plan"
    wait_for("the plan", lambda: node.machine.run("test", "-s", plan, check=False).code == 0, 30)
    assert "/opt/crosslogic/engine/bin/vllm" in node.machine.run("cat", plan).out
    assert node.machine.run("stat", "-c", "%U %a", plan).out.split() == ["root", "644"]
    # As after a boot.
    node.machine.run("rm", "/run/crosslogic/started-since-boot")
    node.systemctl("start", "crosslogic-read-ahead.service")
    wait_for("it was read", lambda: " MB of " in node.machine.journal("-u", "crosslogic-read-ahead.service"), 30)
