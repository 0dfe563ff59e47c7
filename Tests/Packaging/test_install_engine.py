"""`crosslogic-install-engine`: what it would do, and that it does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from crosslogic import engine, install
from crosslogic.paths import ROOT

PROGRAM = ROOT / "packaging" / "install-engine"

# A `python` that makes environments in which `pip install` only takes notes, and fails when it is told to.
FAKE_PYTHON = """#!/bin/sh
set -eu
mkdir -p "$3/bin" "$3/lib"
cat >"$3/bin/pip" <<END
#!/bin/sh
echo "\\$*" >>"{notes}"
echo "Collecting something"
[ ! -e "{broken}" ]
END
cat >"$3/bin/python" <<END
#!/bin/sh
echo 0.32.0 0.17.0
END
chmod +x "$3/bin/pip" "$3/bin/python"
"""


class Site:
    """A folder to install into, with a Python that installs nothing."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "engine"
        self.notes = folder / "notes"
        self.broken = folder / "broken"
        self.python = folder / "python"
        self.python.write_text(FAKE_PYTHON.format(notes=self.notes, broken=self.broken))
        self.python.chmod(0o755)

    def install(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, PROGRAM, "--prefix", self.prefix, "--python", self.python, *options]
        return subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)

    def runs_of_pip(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_versions_are_the_proven_ones(site: Site) -> None:
    printed = site.install("--dry-run").stdout
    assert f"vllm[runai]=={install.VLLM_VERSION}" in printed
    assert f"runai-model-streamer=={engine.STREAMER_VERSION}" in printed
    assert f"torch=={install.TORCH_VERSION}+cpu" in site.install("--dry-run", "--cpu").stdout
    assert not site.prefix.exists()
    assert site.runs_of_pip() == []


def test_launcher_leaves_no_bytecode_in_the_packages_folder(site: Site) -> None:
    recording = [line for line in site.install("--dry-run").stdout.splitlines() if "engine-launcher record" in line]
    assert len(recording) == 1
    assert f"{site.prefix}-0.32.0-cuda-streamer-0.17.0/bin/python -B " in recording[0]


def test_second_run_does_nothing(site: Site) -> None:
    first = site.install()
    assert first.returncode == 0, first.stderr
    assert (site.prefix / "bin" / "pip").exists()
    runs = site.runs_of_pip()
    assert len(runs) == 1
    assert "vllm[runai]==0.32.0" in runs[0]
    second = site.install()
    assert second.returncode == 0
    assert "is there" in second.stdout
    assert site.runs_of_pip() == runs


def test_what_was_cut_short_is_never_used(site: Site) -> None:
    site.broken.touch()
    result = site.install()
    assert result.returncode == 1
    assert "ended with 1" in result.stderr
    assert not site.prefix.exists()
    site.broken.unlink()
    assert site.install().returncode == 0
    assert site.prefix.exists()


def test_failing_update_leaves_the_engine_that_is_there(site: Site) -> None:
    assert site.install().returncode == 0
    before = site.prefix.resolve()
    site.broken.touch()
    assert site.install("--streamer", "0.18.0").returncode == 1
    assert site.prefix.resolve() == before


def test_wrong_version_is_an_error(site: Site) -> None:
    result = site.install("--version", "0.31.0")
    assert result.returncode == 1
    assert "should be 0.31.0 0.17.0: 0.32.0 0.17.0" in result.stderr
    assert not site.prefix.exists()


def test_folder_of_somebody_elses_is_left_alone(site: Site) -> None:
    site.prefix.mkdir()
    result = site.install()
    assert result.returncode == 1
    assert "choose another --prefix" in result.stderr
    assert site.runs_of_pip() == []


def test_two_at_once_install_once(site: Site) -> None:
    command = [sys.executable, PROGRAM, "--prefix", site.prefix, "--python", site.python]
    runs = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert len(site.runs_of_pip()) == 1


@pytest.mark.real
def test_cpu_build_is_installed(tmp_path: Path) -> None:
    """2.6 GB and a minute or two; a start of it by the agent is for the other tests of the real engine."""
    prefix = tmp_path / "engine"
    started = time.monotonic()
    command = [sys.executable, PROGRAM, "--cpu", "--prefix", prefix, "--python", sys.executable]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    print(f"installed in {time.monotonic() - started:.0f} s")
    environment = {**os.environ, "HOME": str(tmp_path)}
    says = subprocess.run([prefix / "bin" / "vllm", "--version"], check=True, capture_output=True, env=environment)
    assert says.stdout.decode().strip().splitlines()[-1].startswith(install.VLLM_VERSION)
    packages = next((prefix / "lib").glob("python3.*/site-packages"))
    assert list((packages / "vllm" / "__pycache__").glob("*.pyc"))
    recorded = json.loads((prefix / "crosslogic-modules.json").read_text())
    assert "vllm.v1.engine.core" in recorded["engine"]
