"""`crosslogic-node-agent explain`: what it prints, and what it ends with for every kind of file."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from crosslogic.paths import ROOT

LOGS = ROOT / "Tests" / "AgentCoreTests" / "Fixtures" / "vllm-logs"
KEYS = {"vllm_version", "outcome", "failure", "phases", "load", "unattributed_s", "total_s"}
FLOOD_MIB = 100


@pytest.fixture
def agent(binaries: Path) -> Path:
    return binaries / "crosslogic-node-agent"


def explain(agent: Path, *arguments: str | Path, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command: Sequence[str | Path] = [agent, "explain", *arguments]
    return subprocess.run(command, check=False, input=text, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("name", "outcome", "status"),
    [
        ("success-s3-runai", "stopped", 0),
        ("term-during-load", "ready", 0),
        ("fail-wrong-secret", "failed", 1),
        ("v085-kill-engine", "failed", 1),
    ],
)
def test_outcome_decides_the_exit_status(agent: Path, name: str, outcome: str, status: int) -> None:
    done = explain(agent, LOGS / f"{name}.log", "--json")
    document = json.loads(done.stdout)
    assert (document["outcome"], done.returncode) == (outcome, status)
    assert document.keys() >= KEYS
    seconds = sum(phase["seconds"] for phase in document["phases"]) + document["unattributed_s"]
    assert seconds == pytest.approx(document["total_s"])


def test_log_can_come_from_standard_input(agent: Path) -> None:
    path = LOGS / "success-s3-compile.log"
    assert explain(agent, "-", text=path.read_bytes()).stdout == explain(agent, path).stdout


def test_table_names_every_phase_and_the_rest(agent: Path) -> None:
    lines = explain(agent, LOGS / "success-s3-compile.log").stdout.decode().splitlines()
    assert "vLLM 0.32.0: ready" in lines[0]
    named = [line.split()[0] for line in lines if line.strip()]
    for phase in ("engine_core_spawn", "worker_spawn", "weights_stream", "compile", "unattributed", "total"):
        assert phase in named


def test_log_of_something_else_is_unfinished(agent: Path) -> None:
    done = explain(agent, "-", "--json", text=b"INFO:     Application startup complete.\nKilled\n")
    document = json.loads(done.stdout)
    assert done.returncode == 3
    assert (document["outcome"], document["phases"], document["failure"]) == ("unfinished", [], None)


def test_what_cannot_be_read_ends_with_2_and_one_line(agent: Path, tmp_path: Path) -> None:
    empty, binary, zeros, loop = (tmp_path / name for name in ("empty", "binary", "zeros", "loop"))
    empty.touch()
    binary.write_bytes(agent.read_bytes()[:65536])
    zeros.write_bytes(bytes(65536))
    loop.symlink_to(loop)
    os.mkfifo(tmp_path / "fifo")
    for arguments in (
        [],
        [LOGS / "success-s3-runai.log", empty],
        ["--no-such-option", LOGS / "success-s3-runai.log"],
        [tmp_path],
        [tmp_path / "missing"],
        [tmp_path / "fifo"],
        [empty],
        [binary],
        [zeros],
        [loop],
    ):
        done = explain(agent, *arguments)
        assert done.returncode == 2, arguments
        assert done.stdout == b"", arguments
        assert done.stderr.decode().count("\n") == 1, arguments


def test_memory_does_not_grow_with_the_log(agent: Path) -> None:
    line = b'INFO:     127.0.0.1:53484 - "POST /v1/completions HTTP/1.1" 200 OK\n'
    flood = line * ((1 << 20) // len(line))
    command: Sequence[str | Path] = [agent, "explain", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.write((LOGS / "kill-parent.log").read_bytes())
        for _ in range(FLOOD_MIB):
            process.stdin.write(flood)
        # While it waits for more: a child's own usage would count the memory of the tests it was forked from.
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.stdin.close()
        assert process.wait(60) == 0
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    assert peak_kib < FLOOD_MIB * 1024 / 2
