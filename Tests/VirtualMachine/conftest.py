"""What the tests in a virtual machine stand on. A boot takes its time there: one machine for all tests of a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from crosslogic import package, roots
from crosslogic.console import Console
from crosslogic.stack import Stack
from crosslogic.virtual_machine import VirtualMachine, make_disk
from node import InstalledStandIn, stand_in
from scripted_control_plane import ScriptedControlPlane
from virtual_node import SHELF, VirtualNode, lay_out

SPEED = 20.0
# Its kernel is as old as its QEMU: an older QEMU emulates a newer kernel badly (double faults, in 6.12 with 7.2).
RELEASE = "bookworm"


@pytest.fixture(scope="module")
def engine(stack: Stack) -> InstalledStandIn:
    return stand_in(stack, SPEED)


@pytest.fixture(scope="module")
def machine(
    request: pytest.FixtureRequest, stack: Stack, engine: InstalledStandIn, console: Console
) -> Iterator[VirtualMachine]:
    """With our package on it, which as good as any misses its settings."""
    deb = package.build(console)
    root = roots.ensure_machine_root(RELEASE, console)
    layer, disk = stack.folder / "layer", stack.folder / "disk"
    lay_out(layer, stack, engine, deb)
    make_disk(root, layer, disk, console)
    failed_before = request.session.testsfailed
    with VirtualMachine(stack.folder.name, root, disk) as machine:
        console.line(f"a virtual machine has booted ({machine.boot_seconds:.0f} s)")
        machine.run("dpkg", "--install", SHELF / deb.name, seconds=300)
        yield machine
        if request.session.testsfailed > failed_before:
            shutil.copy(machine.console, stack.folder)
            print(f"\nits serial console:\n{machine.last_words()}")


@pytest.fixture
def node(
    machine: VirtualMachine, engine: InstalledStandIn, plane: ScriptedControlPlane, stack: Stack
) -> Iterator[VirtualNode]:
    """Its agent has not been started."""
    node = VirtualNode(machine, engine, plane.port)
    node.configure()
    yield node
    if not machine.is_off:
        (stack.folder / "journal.txt").write_text(machine.journal("-b"))
    node.stop()
