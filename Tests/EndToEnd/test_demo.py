"""`scripts/demo` itself: what it shows, and that it leaves nothing behind however it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic import procfs
from crosslogic.paths import SCRIPTS
from crosslogic.waiting import wait_for

ENDS_WITHIN = 60


@pytest.fixture
def ground() -> Iterator[Path]:
    """Where the demo puts its run. Short, because socket paths are."""
    folder = Path(tempfile.mkdtemp(prefix="demo-"))
    yield folder
    shutil.rmtree(folder)


def start_demo(ground: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # A shell that runs the tests in its background has Ctrl-C ignored, and children inherit that.
        ["env", "--default-signal=INT", SCRIPTS / "demo", "--engine", "simulated", *arguments],
        env={**os.environ, "TMPDIR": str(ground)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(autouse=True)
def built(binaries: Path) -> Path:
    return binaries


def nothing_left(ground: Path) -> bool:
    return list(ground.iterdir()) == [] and procfs.writing_below(ground) == []


def test_shows_the_whole_mission(ground: Path) -> None:
    process = start_demo(ground, "--speed", "20")
    text, _ = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 0, text
    for words in ("READY", "first_token", "'The quick fox' → ", '"state": "serving"', "exit code 0", "no process"):
        assert words in text
    assert nothing_left(ground)


def test_json_holds_what_was_seen(ground: Path) -> None:
    result = subprocess.run(
        [SCRIPTS / "demo", "--engine", "simulated", "--speed", "20", "--json"],
        env={**os.environ, "TMPDIR": str(ground)},
        check=False,
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["stop"] == {"exit_code": 0, "seconds": report["stop"]["seconds"], "left": []}
    assert report["leaked_secrets"] == []
    assert report["timings"]["assignment_to_ready_s"] == report["startup_s"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("moment", ["engine", "S3 server", "agent ", "engine_core_spawn"])
def test_interrupted_at_any_point_it_cleans_up(ground: Path, moment: str, number: signal.Signals) -> None:
    process = start_demo(ground, "--speed", "4")
    assert process.stdout
    for line in process.stdout:
        if moment in line:
            break
    process.send_signal(number)
    rest, _ = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 130, rest
    assert "nothing is left running" in rest
    assert nothing_left(ground)


def test_killed_outright_its_parts_stop_by_themselves(ground: Path) -> None:
    """SIGKILL cannot be caught: the kernel asks the parts to stop, and the agent ends its engine."""
    process = start_demo(ground, "--speed", "20", "--keep")
    assert process.stdout
    for line in process.stdout:
        if "stays up until Ctrl-C" in line:
            break
    process.kill()
    process.communicate(timeout=ENDS_WITHIN)
    wait_for("no process is left", lambda: procfs.writing_below(ground) == [], ENDS_WITHIN)
