"""The engine's environment on its way from the agent to PID 1, which reads it with all rights of the machine."""

from __future__ import annotations

import json
import time

import pytest
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import AGENT, ENGINE, LOG, SPARE, Node, ask, assignment
from scripted_control_plane import ScriptedControlPlane

COPIES = "/run/crosslogic-environment"
ROOTS = "/etc/roots.env"

in_both_units = pytest.mark.parametrize(
    ("unit", "name", "start"), [(ENGINE, "engine", "start"), (SPARE, "spare", "start-spare")]
)


def act_as_the_agent(node: Node, script: str) -> None:
    node.machine.run("runuser", "-u", "crosslogic", "--", "sh", "-c", f"cd /run/crosslogic && {script}")


def log(node: Node) -> str:
    return node.machine.read(LOG) or ""


def prepare(node: Node) -> None:
    """An engine that says what its environment is, and a file that nobody but root may read."""
    node.systemctl("start", "crosslogic-enginectl.socket")
    node.machine.shell(f"umask 077; echo HIDDEN=of-root >{ROOTS}")
    arguments = json.dumps(["/usr/bin/env"])
    node.machine.run("runuser", "-u", "crosslogic", "--", "tee", "/run/crosslogic/engine.argv", stdin=arguments)


@in_both_units
@pytest.mark.parametrize(
    ("trap", "word"),
    [
        (f"ln -s {ROOTS} {{}}.env", "is a link"),
        ("mkfifo {}.env", "is no file"),
        ("mkdir {}.env", "is no file"),
        ("echo HIDDEN=of-root >other && ln other {}.env", "is not the agent's alone"),
        ("head -c 1048577 /dev/zero >{}.env", "has more than 1048576 bytes"),
    ],
)
def test_what_is_no_file_of_the_agents_is_refused_and_holds_up_nothing(
    node: Node, unit: str, name: str, start: str, trap: str, word: str
) -> None:
    prepare(node)
    # One that is as it should be, so that there is an environment of an earlier start.
    act_as_the_agent(node, f"echo EARLIER=yes >{name}.env")
    ask(node, "crosslogic", start)
    wait_for("its words", lambda: "EARLIER=yes" in log(node), 10)
    wait_for("its end", lambda: node.machine.property(unit, "ActiveState") in ("inactive", "failed"), 10)
    node.machine.shell(f"truncate -s 0 {LOG}")

    act_as_the_agent(node, f"rm {name}.env && {trap.format(name)}")
    began = time.monotonic()
    _, said = ask(node, "crosslogic", start)
    assert said.startswith("failed\n")
    assert time.monotonic() - began < 40
    # PID 1 answers, and nothing was executed: not with that environment, and not with the earlier one.
    assert node.machine.property(unit, "Result") == "exit-code"
    assert "HIDDEN" not in log(node)
    assert "EARLIER" not in log(node)
    wait_for("the word", lambda: word in node.machine.journal("-t", "take-environment"), 5)
    assert word in log(node)


def test_copy_is_roots_alone_and_goes_with_the_engine(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    assert node.machine.shell(f"stat -c %a%U%F {COPIES} {COPIES}/*").out.split("\n")[:2] == [
        "700rootdirectory",
        "600rootregular file",
    ]
    node.systemctl("stop", AGENT)
    assert node.machine.run("ls", COPIES).out == ""


def test_end_of_an_engine_waits_for_no_file_of_the_agents(node: Node) -> None:
    prepare(node)
    act_as_the_agent(node, "echo EARLIER=yes >engine.env && rm -f engine.execution && mkfifo engine.execution")
    ask(node, "crosslogic", "start")
    wait_for("its end", lambda: node.machine.property(ENGINE, "ActiveState") == "inactive", 10)
    assert node.last_exit() is not None
