"""The SkyPilot task: what it says is understood, and what it does starts a node."""

from __future__ import annotations

import json
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from crosslogic import engine, install
from crosslogic.console import Console
from crosslogic.paths import ROOT, SCRIPTS
from crosslogic.stack import Stack
from node import AGENT, SETTINGS, assignment
from packaged import PackagedNode, repacked
from scripted_control_plane import ScriptedControlPlane

TASK = ROOT / "packaging" / "skypilot" / "node.yaml"
REQUIREMENTS = SCRIPTS / "requirements" / "skypilot.txt"

PARSE = """
import json, sky, sys
task = sky.Task.from_yaml(sys.argv[1])
(resources,) = task.resources
print(json.dumps({
    "setup": task.setup, "run": task.run, "envs": task.envs, "secrets": sorted(task.secrets),
    "mounts": task.file_mounts, "cloud": str(resources.cloud), "region": resources.region,
    "accelerators": resources.accelerators, "spot": resources.use_spot, "ports": resources.ports,
}))
"""


def block(name: str) -> str:
    """A script of the task."""
    found = re.search(rf"(?m)^{name}: \|\n((?:  .*\n|\n)+)", TASK.read_text())
    assert found
    return textwrap.dedent(found[1]).strip() + "\n"


def passed_on() -> set[str]:
    """What the task writes into the node's settings."""
    found = re.search(r"for name in ([A-Z0-9_ \\\n]+);", block("run"))
    assert found
    return set(found[1].replace("\\", " ").split())


def test_versions_are_the_proven_ones() -> None:
    text = TASK.read_text()
    assert f"VLLM_VERSION: {install.VLLM_VERSION}\n" in text
    assert f"STREAMER_VERSION: {engine.STREAMER_VERSION}\n" in text


def test_everything_it_asks_for_is_used() -> None:
    text = TASK.read_text()
    asked = set(re.findall(r"(?m)^  ([A-Z][A-Z0-9_]+):", text))
    assert asked == passed_on() | {"VLLM_VERSION", "STREAMER_VERSION"}
    settings = (ROOT / "packaging" / "node-agent.env").read_text()
    assert [name for name in passed_on() if f"#{name}=" not in settings] == []


def test_its_last_step_starts_the_node(
    node: PackagedNode, deb: Path, stack: Stack, plane: ScriptedControlPlane
) -> None:
    plane.assign(**assignment(stack))
    node.install(deb)
    # What this machine's engine and ports need is no business of the task's.
    own = {name: value for name, value in node.settings.items() if name not in passed_on()}
    node.drop_in(AGENT, "[Service]\n" + "".join(f'Environment="{name}={value}"\n' for name, value in own.items()))
    sudo = node.machine.path("/usr/local/bin/sudo")
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    script = block("run").replace("--follow", "").replace(" timeline", f" timeline --heartbeat {node.url}")
    environment = [f"{name}={value}" for name, value in node.settings.items() if name in passed_on()]
    ran = node.machine.run("env", *environment, "bash", "-c", script)
    # It has come this far, so READY had come.
    assert "first_token" in ran.out
    assert node.is_active(AGENT)
    assert node.mode(SETTINGS) == "600 0:0"


def test_newer_package_on_the_same_cluster_asks_nobody_and_keeps_the_settings(
    node: PackagedNode, deb: Path, stack: Stack, plane: ScriptedControlPlane
) -> None:
    """As apt hands them to dpkg. There is nobody to answer: without them this ends at the question."""
    options = [f"--{name}" for name in re.findall(r"Dpkg::Options::=--(\S+)", block("setup"))]
    plane.assign(**assignment(stack))
    node.install(deb)
    node.configure()
    node.systemctl("restart", "--no-block", AGENT)
    node.wait_for_state("serving")
    engine = node.engine_invocation()
    newer = repacked(deb, "99.1", settings="# Something new.\n")
    node.install(newer, *options)
    assert node.version() == "99.1"
    assert node.machine.path(SETTINGS).read_text() == node.env_file()
    node.wait_for_state("serving")
    assert node.engine_invocation() == engine


def test_its_last_step_fails_with_the_setting_that_is_wrong(node: PackagedNode, deb: Path) -> None:
    node.install(deb)
    sudo = node.machine.path("/usr/local/bin/sudo")
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    ran = node.machine.run("bash", "-c", block("run"), check=False)
    assert ran.code == 1
    assert "CROSSLOGIC_CONTROL_PLANE_URL" in ran.out


@pytest.fixture(scope="module")
def parsed(console: Console) -> dict[str, Any]:
    folder = install.versioned_folder("skypilot", REQUIREMENTS)

    def fill() -> dict[str, str]:
        install.pip_install(folder, ["-r", str(REQUIREMENTS)], "SkyPilot", REQUIREMENTS, console)
        return {}

    install.ensure_environment(folder, fill, console)
    result = subprocess.run(
        [folder / "bin" / "python", "-c", PARSE, TASK], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.long
def test_skypilot_understands_it(parsed: dict[str, Any]) -> None:
    assert (parsed["cloud"], parsed["region"], parsed["spot"]) == ("AWS", "us-east-1", True)
    assert parsed["accelerators"] == {"A10G": 1}
    assert parsed["ports"] == ["8000"]
    assert parsed["setup"] == block("setup")
    assert parsed["run"] == block("run")
    assert set(parsed["envs"]) | set(parsed["secrets"]) == passed_on() | {"VLLM_VERSION", "STREAMER_VERSION"}
    assert {"CROSSLOGIC_NODE_TOKEN", "R2_ACCESS_KEY", "R2_SECRET_KEY"} == set(parsed["secrets"])


def test_its_scripts_are_sound(tmp_path: Path, console: Console) -> None:
    install.ensure_system_packages(list(install.CHECK_PACKAGES), console)
    for name in ("setup", "run"):
        script = tmp_path / name
        script.write_text(block(name))
        subprocess.run(["shellcheck", "--shell=bash", script], check=True)
