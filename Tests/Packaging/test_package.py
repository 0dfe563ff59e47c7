"""What is in the package, and what Debian says of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from crosslogic import install, swift
from crosslogic.console import Console
from crosslogic.paths import ROOT

SETTINGS = ROOT / "packaging" / "node-agent.env"


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def names(deb: Path) -> list[str]:
    return [line.split()[5] for line in output("dpkg-deb", "--contents", deb).splitlines()]


def test_lintian_finds_nothing(deb: Path, console: Console) -> None:
    install.ensure_system_packages(["lintian"], console)
    result = subprocess.run(
        ["lintian", "--allow-root", "--tag-display-limit=0", "--fail-on=error,warning", deb],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_every_unit_is_in_it(names: list[str]) -> None:
    folder = ROOT / "systemd"
    units = [path.name for path in folder.iterdir() if path.suffix in {".service", ".socket", ".target"}]
    assert {f"./usr/lib/systemd/system/{unit}" for unit in units} <= set(names)
    assert {f"./usr/libexec/crosslogic/{path.name}" for path in (folder / "libexec").iterdir()} <= set(names)


def test_it_asks_for_no_later_system_than_it_is_built_for(deb: Path) -> None:
    """Ubuntu 22.04 has glibc 2.35 and systemd 249."""
    depends = output("dpkg-deb", "--field", deb, "Depends")
    for library, latest in (("libc6", (2, 35)), ("libsystemd0", (249,)), ("systemd", (249,))):
        for found in re.findall(rf"(?<![\w-]){library} \(>= ([\d.]+)", depends):
            assert tuple(map(int, found.split("."))) <= latest, depends
    assert "libc6 (>= " in depends


def test_settings_are_a_conffile(deb: Path) -> None:
    assert output("dpkg-deb", "--info", deb, "conffiles").split() == ["/etc/crosslogic/node-agent.env"]


def test_manual_describes_each_setting() -> None:
    manual = (ROOT / "packaging" / "man" / "node-agent.env.5").read_text()
    settings = re.findall(r"(?m)^#?([A-Z][A-Z0-9_]+)=", SETTINGS.read_text())
    assert len(settings) > 20
    assert [name for name in settings if not re.search(rf"\b{name}\b", manual)] == []


def test_manual_describes_each_command(console: Console) -> None:
    manual = (ROOT / "packaging" / "man" / "crosslogic-node-agent.8").read_text()
    overview = output(swift.release_binaries(console) / swift.AGENT, "--help")
    commands = re.findall(r"(?m)^  ([a-z-]+) {2,}\S", overview.partition("SUBCOMMANDS:")[2])
    assert len(commands) > 2
    assert [name for name in commands if f".It Cm {name}\n" not in manual] == []


def test_manual_describes_each_option_of_the_installer() -> None:
    manual = (ROOT / "packaging" / "man" / "crosslogic-install-engine.8").read_text()
    options = set(re.findall(r"--[a-z-]+", output(ROOT / "packaging" / "install-engine", "--help"))) - {"--help"}
    assert len(options) > 4
    assert [name for name in options if f".It Fl {name[1:]}" not in manual] == []


def test_manual_pages_are_well_formed() -> None:
    for page in (ROOT / "packaging" / "man").iterdir():
        result = subprocess.run(
            ["man", "--warnings", "--encoding=UTF-8", "--troff-device=utf8", "--local-file", page],
            check=True,
            capture_output=True,
            text=True,
            env={"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "PATH": "/usr/bin:/bin"},
        )
        assert result.stderr == "", page
