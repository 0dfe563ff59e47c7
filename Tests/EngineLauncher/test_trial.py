"""The list of modules that an installation leaves, for the first start on a node."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import processes_of
from crosslogic.launchable import LAUNCHER
from crosslogic.waiting import wait_for
from starts import Ended, Installation

SERVES = """#!{python}
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Answer).serve_forever()
"""


@pytest.fixture
def serving(installation: Installation) -> Installation:
    """What the stand-in becomes serves."""
    program = installation.vllm.with_name("simulated")
    program.write_text(SERVES.format(python=installation.vllm.with_name("python")))
    program.chmod(0o755)
    return installation


def command(installation: Installation) -> list[str | Path]:
    python = installation.vllm.with_name("python")
    return [python, LAUNCHER, "record", "--vllm", installation.vllm, "--list", installation.installed_list]


def record(installation: Installation) -> Ended:
    ran = subprocess.run(
        command(installation), env=installation.variables, capture_output=True, text=True, timeout=60, check=False
    )
    return Ended(ran.stdout, ran.stderr, ran.returncode)


def listed(installation: Installation) -> dict[str, Any]:
    return json.loads(installation.installed_list.read_text())


def test_the_first_start_of_all_forks_from_what_the_installation_has_recorded(serving: Installation) -> None:
    recording = record(serving)
    assert recording.code == 0, recording.errors
    assert [line.partition(" after")[0] for line in recording.said[:2]] == ["it serves", "it serves"]
    assert "vllm.v1.worker" in listed(serving)["engine"]
    assert serving.installed_list.stat().st_mode & 0o777 == 0o644
    first = serving.start()
    assert [line.partition(",")[0] for line in first.said] == ["preload"]
    assert first.report["core"]["was_there"]


def test_an_installation_leaves_nothing_in_the_launchers_folder(serving: Installation, tmp_path: Path) -> None:
    """As `crosslogic-install-engine` runs it, which may write there."""
    launcher = tmp_path / "launcher"
    shutil.copytree(LAUNCHER, launcher, ignore=shutil.ignore_patterns("__pycache__"))
    python, _, *rest = command(serving)
    ran = subprocess.run(
        [python, "-B", launcher, *rest], env=serving.variables, capture_output=True, timeout=60, check=False
    )
    assert ran.returncode == 0
    assert list(launcher.rglob("__pycache__")) == []


def test_what_may_not_be_preloaded_is_found_at_the_installation(serving: Installation) -> None:
    core = next(serving.folder.glob("engine/lib/*/site-packages/vllm/v1/engine/core.py"))
    asked = 'os.environ.get("VLLM_STANDIN_IMPORTS", "")'
    core.write_text(core.read_text().replace(asked, '"vllm.trouble.thread1"'))
    assert record(serving).code == 0
    assert listed(serving)["left_out"] == ["vllm.trouble.thread1"]


def test_where_nothing_can_serve_it_records_how_far_a_start_comes(installation: Installation) -> None:
    recording = record(installation)
    assert recording.code == 0
    assert recording.said[0].startswith("it does not serve on this machine: FileNotFoundError")
    assert "vllm.v1.worker" in listed(installation)["engine"]


def test_a_package_that_cannot_be_imported_leaves_no_list(installation: Installation) -> None:
    main = next(installation.folder.glob("engine/lib/*/site-packages/vllm/__init__.py"))
    main.write_text("raise ImportError('broken on purpose')\n")
    recording = record(installation)
    assert recording.code in (0, 1)
    assert not installation.installed_list.exists() or "vllm.v1.worker" not in listed(installation)["engine"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_recording_that_is_cut_short(serving: Installation, number: signal.Signals) -> None:
    """What it becomes never serves: it listens elsewhere."""
    program = serving.vllm.with_name("simulated")
    program.write_text(program.read_text().replace("port =", "port = 0 and"))
    process = subprocess.Popen(command(serving), env=serving.variables, stdout=subprocess.DEVNULL)
    wait_for("the start", lambda: processes_of(program), 30)
    process.send_signal(number)
    assert process.wait(30) != 0
    wait_for("nothing is left", lambda: not processes_of(program), 10)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"format":1,"vllm":"0.1","command":[],"engine":["vllm"],"left_out":[]}']
)
def test_a_list_of_another_version_counts_for_nothing(installation: Installation, content: str) -> None:
    installation.installed_list.write_text(content)
    assert installation.start().said[0].startswith("plain, because no modules are recorded")


def test_what_a_node_has_recorded_itself_comes_first(recorded: Installation) -> None:
    recorded.start()
    recorded.installed_list.write_text(
        json.dumps({"format": 1, "vllm": "0.32.0+cpu", "command": [], "engine": ["vllm.trouble.cuda"], "left_out": []})
    )
    recorded.start()
    assert "vllm.trouble.cuda" not in recorded.modules["engine"]
