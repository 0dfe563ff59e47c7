"""Which processors the agent keeps to; that it does, is shown in a virtual machine that has more than two."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from crosslogic.paths import ROOT
from node import AGENT, Node


@pytest.mark.parametrize(
    ("online", "chosen"),
    [
        ("0-15", "14,15"),
        ("0-2", "1,2"),
        ("0,2-3", "2,3"),
        ("0-3,7", "3,7"),
        ("2,5,9", "5,9"),
        ("0-1", None),
        ("0,4", None),
        ("0", None),
    ],
)
def test_the_last_two_of_more_than_two(tmp_path: Path, online: str, chosen: str | None) -> None:
    (tmp_path / "online").write_text(f"{online}\n")
    systemctl = tmp_path / "systemctl"
    systemctl.write_text('#!/bin/sh\n[ "$1" = show ] || echo "$@"\n')
    systemctl.chmod(0o755)
    command = [ROOT / "systemd" / "libexec" / "keep-aside", tmp_path / "online"]
    ran = subprocess.run(
        command, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True, check=True
    )
    asked = f"set-property --runtime crosslogic-node-agent.service AllowedCPUs={chosen}\n" if chosen else ""
    assert (ran.stdout, ran.stderr) == (asked, "")


def keep_aside(node: Node) -> str:
    """What a start of the agent does on a machine of four processors, and what holds then."""
    node.machine.write("/run/online", "0-3\n")
    node.machine.run("/usr/libexec/crosslogic/keep-aside", "/run/online")
    return node.machine.property(AGENT, "AllowedCPUs")


def test_choice_of_an_administrator_stands(node: Node) -> None:
    # That of a start before it goes.
    assert keep_aside(node) == "2-3"
    assert keep_aside(node) == "2-3"
    node.drop_in(AGENT, "[Service]\nAllowedCPUs=0\n")
    assert keep_aside(node) == "0"
    assert keep_aside(node) == "0"


def test_drop_in_about_other_things_is_no_choice(node: Node) -> None:
    node.drop_in(AGENT, "[Service]\nNice=1\n")
    assert keep_aside(node) == "2-3"
