"""GPU memory, asked for through a door that no driver can block.

There is no GPU here: a stand-in says what nvidia-smi is known to print.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from crosslogic.paths import ROOT
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import DOOR, InstalledStandIn, Node, ask, assignment
from scripted_control_plane import ScriptedControlPlane

FOLDER = "/opt/stand-in-gpu"
STAND_IN = f"{FOLDER}/stand-in-nvidia-smi"

ANSWERS = f"""#!/bin/sh
case $1 in --query-gpu=*) cat {FOLDER}/gpus ;; --query-compute-apps=*) cat {FOLDER}/processes ;; *) exit 1 ;; esac
"""
HANGS = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n"
GARBAGE = "#!/bin/sh\nhead -c 100000 /dev/urandom\nexit 9\n"


def install_stand_in(node: Node, script: str) -> None:
    node.machine.run("mkdir", "-p", FOLDER)
    node.machine.path(STAND_IN).write_text(script)
    node.machine.run("chmod", "755", STAND_IN)
    node.machine.run("ln", "-sf", STAND_IN, "/usr/local/bin/nvidia-smi")
    show(node, "300, 81559", "")


def show(node: Node, gpus: str, processes: str) -> None:
    for name, text in (("gpus", gpus), ("processes", processes)):
        node.machine.path(f"{FOLDER}/{name}").write_text(f"{text}\n" if text else "")


def said(node: Node, words: str) -> bool:
    return words in node.machine.journal("-u", "crosslogic-node-agent.service")


def test_door_tells_what_each_gpu_and_each_process_holds(node: Node) -> None:
    node.systemctl("start", DOOR)
    install_stand_in(node, ANSWERS)
    show(node, "40321, 81559\n0, 81559", "4711, 40000")
    _, answer = ask(node, "crosslogic", "gpu")
    assert answer.split("\n")[:4] == ["ok", "gpu 40321, 81559", "gpu 0, 81559", "process 4711, 40000"]


def test_without_nvidia_smi_nothing_is_claimed(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.start_and_serve()
    wait_for("the word", lambda: said(node, "no GPU, or no nvidia-smi to ask: GPU memory is not looked at"), 5)
    _, answer = ask(node, "crosslogic", "gpu")
    assert answer.split() == ["ok", "none"]


def test_memory_of_an_engine_that_was_ended_is_seen_to_be_free_before_the_next_start(
    node: Node, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    install_stand_in(node, ANSWERS)
    # The agent's first look, at what is held without an engine, is over long before this one serves.
    engine.behave(speed=4)
    plane.assign(**assignment(stack))
    node.start_and_serve()
    show(node, "40000, 81559", "4711, 39700")
    plane.assign(**assignment(stack, generation=2))
    wait_for("the engine is gone", lambda: said(node, "no process of the engine is left"), 20)
    show(node, "310, 81559", "")
    wait_for("the word", lambda: said(node, "is free again: 310 of 81559 MiB"), 20)
    wait_for("the next one", lambda: (node.heartbeat() or {}).get("generation") == 2, 20)
    node.wait_for_state("serving")


def test_driver_that_hangs_holds_up_nothing(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    install_stand_in(node, HANGS)
    unit = "crosslogic-gpu-memory.service"
    node.drop_in(unit, "[Service]\nTimeoutStartSec=1s\nTimeoutStopSec=500ms\n")
    plane.assign(**assignment(stack))
    node.start_and_serve()
    wait_for("the word", lambda: said(node, "nvidia-smi fails, hangs"), 10)
    began = time.monotonic()
    _, answer = ask(node, "crosslogic", "gpu")
    assert answer.strip() == "failed"
    assert time.monotonic() - began < 40
    # The brackets, so that it does not find the search for itself.
    left = ("pgrep", "-f", "[s]tand-in-nvidia-smi")
    wait_for("nothing is left of it", lambda: not node.machine.run(*left, check=False).out, 5)
    # The next engine is started nevertheless.
    plane.assign(**assignment(stack, generation=2))
    plane.wait_for_event("ready", 30, after=1)
    node.systemctl("stop", "crosslogic-node-agent.service")


def test_there_is_never_a_second_look_beside_one_that_nothing_can_end(tmp_path: Path) -> None:
    began, hangs = tmp_path / "began", tmp_path / "hangs"
    smi = tmp_path / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\necho $$ >>{began}\nexec sleep infinity\n")
    smi.chmod(0o755)
    script = shutil.copy(ROOT / "systemd" / "libexec" / "read-gpu-memory", tmp_path)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with hangs.open("w") as output, subprocess.Popen([script], env=environment, stdout=output) as first:
        pid = int(wait_for("a look", lambda: began.exists() and began.read_text(), 10))
        # What PID 1 can end, it has ended.
        first.kill()
        first.wait()
        again = subprocess.run([script], env=environment, capture_output=True, text=True, check=False, timeout=20)
        assert (again.returncode, again.stdout) == (1, "")
        assert began.read_text() == f"{pid}\n"
        os.kill(pid, signal.SIGKILL)
    # Once it has come back from the driver, there may be the next one.
    smi.write_text("#!/bin/sh\necho 1, 2\n")

    def look() -> bool:
        ran = subprocess.run([script], env=environment, capture_output=True, text=True, check=False, timeout=20)
        return ran.stdout.startswith("gpu 1, 2\n")

    wait_for("the next look", look, 10)


def test_garbage_is_no_answer(node: Node, stack: Stack, plane: ScriptedControlPlane) -> None:
    install_stand_in(node, GARBAGE)
    plane.assign(**assignment(stack))
    node.start_and_serve()
    wait_for("the word", lambda: said(node, "says what nobody understands"), 10)
