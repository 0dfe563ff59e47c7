"""Install, upgrade, remove, purge: on a real systemd, with an engine that runs meanwhile."""

from __future__ import annotations

from pathlib import Path

from crosslogic.hammer import Hammer
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from node import (
    AGENT,
    DOOR,
    ENGINE,
    SETTINGS,
    SPARE,
    InstalledStandIn,
    another_agent,
    assignment,
    in_all_start_modes,
)
from packaged import PackagedNode
from scripted_control_plane import ScriptedControlPlane


def is_enabled(node: PackagedNode, unit: str) -> str:
    return node.systemctl("is-enabled", unit, check=False).out.strip()


def serve(node: PackagedNode, stack: Stack, plane: ScriptedControlPlane) -> None:
    plane.assign(**assignment(stack))
    node.configure()
    node.systemctl("restart", "--no-block", AGENT)
    node.wait_for_state("serving")
    wait_for("the unit is active", lambda: node.is_active(AGENT), 10)


def test_installed_without_settings_it_names_what_is_missing_and_does_not_try_again(
    node: PackagedNode, deb: Path
) -> None:
    node.install(deb)
    wait_for("it has failed", lambda: node.machine.property(AGENT, "ActiveState") == "failed", 20)
    facts = node.machine.show(AGENT, "ExecMainStatus", "NRestarts", "StatusText")
    assert facts["ExecMainStatus"] == "78"
    assert facts["NRestarts"] == "0"
    for setting in ("CROSSLOGIC_CONTROL_PLANE_URL", "CROSSLOGIC_NODE_ID", "CROSSLOGIC_NODE_TOKEN"):
        assert setting in facts["StatusText"]
    assert is_enabled(node, AGENT) == "enabled"
    assert is_enabled(node, DOOR) == "enabled"
    assert node.is_active(DOOR)
    assert is_enabled(node, ENGINE) == "static"
    assert not node.is_active(ENGINE)
    # It will hold secrets.
    assert node.mode(SETTINGS) == "600 0:0"


def test_install_starts_the_model_and_does_not_wait_for_it(
    node: PackagedNode, deb: Path, stack: Stack, plane: ScriptedControlPlane, engine: InstalledStandIn
) -> None:
    """The settings are there before the package, as where cloud-init wrote them."""
    # As slow as the real one: the package manager's triggers come after the agent's start.
    engine.behave(speed=1)
    plane.assign(**assignment(stack))
    node.machine.path(SETTINGS.parent).mkdir()
    node.configure()
    node.install(deb, "--force-confold")
    assert node.machine.property(AGENT, "ActiveState") == "activating"
    node.wait_for_state("serving", 60)


@in_all_start_modes
def test_upgrade_keeps_the_engine_and_removal_ends_it_and_purge_leaves_nothing(
    node: PackagedNode, deb: Path, next_deb: Path, stack: Stack, plane: ScriptedControlPlane, start_mode: str
) -> None:
    files, accounts, in_memory = node.written(), node.accounts(), node.in_memory()
    node.install(deb)
    serve(node, stack, plane)
    waits = node.parked(SPARE) if start_mode == "standby" else 0
    agent, engine, settings = node.main_pid(AGENT), node.engine_invocation(), node.env_file()

    with Hammer(f"{node.url}/readyz") as hammer:
        node.install(next_deb)
        assert node.version() == "99.0"
        another_agent(node, agent)
        node.wait_for_state("serving")
    print(hammer)
    assert hammer.count("answered") == hammer.in_time > 20
    assert hammer.statuses == {200}
    assert node.engine_invocation() == engine
    assert node.machine.path(SETTINGS).read_text() == settings
    assert plane.events_of("stopped") == []
    assert not waits or node.parked(SPARE, other_than=waits)

    node.remove()
    assert node.processes() == []
    assert (node.last_exit() or {})["result"] == "success"
    plane.wait_for_event("stopped", 5)
    assert node.machine.path(SETTINGS).read_text() == settings
    running = node.systemctl("list-units", "--state=active,activating,deactivating", "--no-legend", "crosslogic-*")
    assert running.out == ""

    node.purge()
    assert node.written() - files == set()
    assert node.in_memory() == in_memory
    check_accounts(node, accounts)


def test_bytecode_of_the_launcher_goes_with_it(node: PackagedNode, deb: Path) -> None:
    """As left by somebody who has run it as root."""
    files = node.written()
    node.install(deb)
    folder = "/usr/lib/crosslogic/engine-launcher"
    importing = f"import sys; sys.path.insert(0, '{folder}'); import crosslogic_launcher.report"
    node.machine.run("env", "-u", "PYTHONDONTWRITEBYTECODE", "python3", "-c", importing)
    assert f"{folder}/crosslogic_launcher/__pycache__" in node.written()
    said = node.purge()
    assert "not empty" not in said.err
    assert node.written() - files == set()


def check_accounts(node: PackagedNode, before: dict[str, list[str]]) -> None:
    """The users stay, as is the custom in Debian, and nobody can log in as one."""
    new = {name: sorted(set(lines) - set(before[name])) for name, lines in node.accounts().items()}
    assert [line.split(":")[0] for line in new["passwd"]] == ["crosslogic", "vllm"]
    assert [line.split(":")[0] for line in new["group"]] == ["crosslogic", "vllm"]
    assert all(line.endswith("/nologin") for line in new["passwd"])
    assert all(line.split(":")[1].startswith("!") for line in new["shadow"])


def test_package_that_is_removed_and_installed_again_serves(
    node: PackagedNode, deb: Path, stack: Stack, plane: ScriptedControlPlane
) -> None:
    node.install(deb)
    serve(node, stack, plane)
    node.remove()
    node.install(deb)
    node.wait_for_state("serving")


def test_agent_that_an_operator_disabled_stays_so_over_an_upgrade(
    node: PackagedNode, deb: Path, next_deb: Path
) -> None:
    node.install(deb)
    node.systemctl("disable", "--now", AGENT)
    before = node.machine.property(AGENT, "InvocationID")
    node.install(next_deb)
    assert is_enabled(node, AGENT) == "disabled"
    # It has not been started since, and newer systemds may have forgotten that it ever was.
    assert node.machine.property(AGENT, "InvocationID") in {before, ""}


def test_logind_gives_the_drain_its_time_without_a_reboot(node: PackagedNode, deb: Path) -> None:
    def delay() -> str:
        manager = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
        return node.machine.run("busctl", "get-property", *manager, "InhibitDelayMaxUSec").out.split()[1]

    assert delay() != "30000000"
    node.install(deb)
    wait_for("logind has read its drop-in", lambda: delay() == "30000000", 5)


def test_policy_that_forbids_starting_is_heeded(node: PackagedNode, deb: Path) -> None:
    """As where an image is made."""
    policy = node.machine.path("/usr/sbin/policy-rc.d")
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    node.install(deb)
    assert is_enabled(node, AGENT) == "enabled"
    assert node.machine.property(AGENT, "ActiveState") == "inactive"
