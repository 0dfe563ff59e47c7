"""What an engine has imported, kept over a boot: in its own unit, as its own user, and restored in the same sandbox."""

from __future__ import annotations

import pytest
from conftest import MakeNode
from crosslogic import http
from crosslogic.model import MODEL
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, SPARE, Node, another_agent, assignment
from scripted_control_plane import ScriptedControlPlane
from test_standby import crash, how_it_was_started

pytestmark = pytest.mark.parametrize("start_mode", ["standby"], indirect=True)

CHECKPOINT = "/var/cache/crosslogic/launcher/checkpoint"
READ_AHEAD = "crosslogic-read-ahead.service"
SOON = "0.2"
RESTORED = "standby restored from a checkpoint, "


def is_there(node: Node) -> bool:
    return node.machine.run("test", "-s", CHECKPOINT, check=False).code == 0


def wait_for_checkpoint(node: Node, seconds: float = 180) -> None:
    """Or why there is none. Patient: what keeps it stands behind all others on the machine."""

    def why_not() -> str | None:
        return node.machine.read(f"{CHECKPOINT}.failed")

    wait_for("a checkpoint", lambda: is_there(node), seconds, why_not)


def no_notice_of_the_last_boot(node: Node) -> None:
    """Machine and host have the same boot id: for the agent, the last boot's end were this one's too."""
    node.drop_in(AGENT, "[Service]\nExecStartPre=+/bin/rm -f /var/lib/crosslogic/notice.json\n")


def test_the_next_boot_restores_it_and_reads_nothing_ahead(
    make_node: MakeNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node = make_node(enabled=True, CROSSLOGIC_CHECKPOINT=SOON)
    no_notice_of_the_last_boot(node)
    node.parked()
    assert node.machine.property(READ_AHEAD, "ConditionResult") == "yes"
    wait_for_checkpoint(node)
    node.machine.reboot()
    node.parked()
    assert node.machine.property(READ_AHEAD, "ConditionResult") == "no"
    plane.assign(**assignment(stack))
    beat = node.wait_for_state("serving")
    assert beat["engine"]["pid"] == node.main_pid(ENGINE)
    assert how_it_was_started(beat).startswith(RESTORED)
    request = {"model": MODEL, "prompt": "Hello", "max_tokens": 4}
    answer = http.call("POST", f"http://127.0.0.1:{node.engine_port}/v1/completions", request, seconds=30)
    assert answer.status == 200, answer.text


def test_each_engine_after_a_crash_is_restored_in_the_unit_that_is_free(
    make_node: MakeNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node = make_node(CROSSLOGIC_CHECKPOINT=SOON)
    node.start()
    first = node.parked()
    wait_for_checkpoint(node)
    agent = node.main_pid(AGENT)
    node.systemctl("restart", "--no-block", AGENT)
    another_agent(node, agent)
    node.parked(other_than=first)
    plane.assign(**assignment(stack))
    assert how_it_was_started(node.wait_for_state("serving")).startswith(RESTORED)
    # No more than two: the stand-in's fork server goes with its command, and proves nothing of the checkpoint.
    for ends, takes_over in ((ENGINE, SPARE), (SPARE, ENGINE)):
        waits = node.parked(takes_over)
        beat = crash(node, ends)
        assert beat["engine"]["pid"] == waits
        assert how_it_was_started(beat).startswith(RESTORED)
    node.systemctl("stop", AGENT)
    assert (node.engine_pids(ENGINE), node.engine_pids(SPARE)) == ([], [])


def test_it_is_for_the_engines_user_alone_and_holds_no_secret(
    make_node: MakeNode, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node = make_node(CROSSLOGIC_CHECKPOINT=SOON)
    node.configure(
        HF_TOKEN=node.canaries.new("token of the Hub"),
        HTTPS_PROXY=f"http://user:{node.canaries.new('password of a proxy')}@proxy.test:1",
    )
    plane.assign(**assignment(stack, callback_secret=node.canaries.new("callback secret")))
    pid = node.start_and_serve()["engine"]["pid"]
    wait_for_checkpoint(node)
    assert node.machine.run("stat", "-c", "%U:%G %a", CHECKPOINT).out.split() == ["vllm:vllm", "600"]
    assert node.canaries.found_in("the checkpoint", node.machine.path(CHECKPOINT).read_bytes().decode("latin-1")) == []
    # The engine beside which it was kept has them, or the search proves nothing.
    environment = node.machine.run("cat", f"/proc/{pid}/environ").out
    assert {"R2 secret key in it", "token of the Hub in it"} <= {*node.canaries.found_in("it", environment)}


def test_what_keeps_it_may_stand_behind_all_others(node: Node) -> None:
    """It goes on where it may not, and takes the processor from the engine beside it: nothing else would tell."""
    script = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))"
    node.drop_in(ENGINE, f"[Service]\nExecStartPre=/usr/bin/python3 -c '{script}'\n")
    node.start()
    node.parked()


@pytest.mark.parametrize("change", [{"CROSSLOGIC_ENGINE_START": "plain"}, {"CROSSLOGIC_CHECKPOINT": "off"}])
def test_where_none_is_wanted_any_more_it_goes_and_the_next_boot_reads_ahead(
    make_node: MakeNode, stack: Stack, plane: ScriptedControlPlane, change: dict[str, str]
) -> None:
    node = make_node(enabled=True, CROSSLOGIC_CHECKPOINT=SOON)
    no_notice_of_the_last_boot(node)
    wait_for_checkpoint(node)
    node.configure(**change)
    agent = node.main_pid(AGENT)
    node.systemctl("restart", "--no-block", AGENT)
    another_agent(node, agent)
    plane.assign(**assignment(stack))
    node.wait_for_state("serving")
    assert not is_there(node)
    node.machine.reboot()
    node.wait_for_state("serving")
    assert node.machine.property(READ_AHEAD, "ConditionResult") == "yes"
