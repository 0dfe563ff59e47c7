"""An upload that is cut off in the middle of a part goes on where it was, and tells nobody its secrets meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from crosslogic import procfs
from gate import Gate
from workbench import MODEL, Workbench, shard_name, write_model

SHARD = 17_000_000
PART = 5 << 20
ENDS_WITHIN = 60


@pytest.fixture
def gate(bench: Workbench) -> Iterator[Gate]:
    """Closes in the middle of the third part of the first shard."""
    gate = Gate(bench.server.endpoint, limit=2 * PART + PART // 2)
    yield gate
    gate.close()


def test_killed_in_the_middle_of_a_part_it_continues_with_that_part(bench: Workbench, gate: Gate) -> None:
    model = write_model(bench.folder / "model", shards=2, shard_bytes=SHARD)
    token = bench.canaries.new("Hub token")
    arguments = ["--local-dir", str(model), "--part-size", "5", "--workers", "1"]
    script = "upload-model-to-r2.py"
    process = bench.start(script, MODEL, "--hf-token", token, *arguments, R2_ENDPOINT=gate.endpoint)
    assert gate.held.wait(ENDS_WITHIN)
    # The very process that holds the secrets: no secret in what everyone may read of it, the Hub token included.
    commands = procfs.command_lines()
    assert script.removesuffix(".py").split("-")[0] in commands[process.pid]
    assert bench.canaries.found_in_command_lines() == []
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=ENDS_WITHIN)
    assert not (bench.stored / shard_name(1, 2)).exists()

    counting = Gate(bench.server.endpoint)
    ran = bench.upload(*arguments, R2_ENDPOINT=counting.endpoint)
    counting.close()
    assert ran.code == 0, ran.err
    first, second = (next(f for f in ran.json["files"] if f["name"] == shard_name(n, 2)) for n in (1, 2))
    assert (first["action"], first["parts_kept"], first["parts_sent"]) == ("resumed", 2, 2)
    assert (second["action"], second["parts_kept"], second["parts_sent"]) == ("uploaded", 0, 4)
    sent = [request for request in counting.requests if "partNumber=" in request and shard_name(1, 2) in request]
    assert len(sent) == 2
    for number in (1, 2):
        assert (bench.stored / shard_name(number, 2)).read_bytes() == (model / shard_name(number, 2)).read_bytes()


def test_parts_of_another_content_are_not_continued(bench: Workbench, gate: Gate) -> None:
    """The same name and size, another revision: mixing them would make a shard that never was."""
    old = write_model(bench.folder / "old", shards=1, shard_bytes=SHARD, seed=1)
    new = write_model(bench.folder / "new", shards=1, shard_bytes=SHARD, seed=2)
    options = ["--part-size", "5", "--workers", "1"]
    process = bench.start("upload-model-to-r2.py", MODEL, "--local-dir", old, *options, R2_ENDPOINT=gate.endpoint)
    assert gate.held.wait(ENDS_WITHIN)
    process.kill()
    process.communicate(timeout=ENDS_WITHIN)
    ran = bench.upload("--local-dir", new, *options)
    assert ran.code == 0, ran.err
    assert ran.json["files"][0]["parts_kept"] == 0
    assert (bench.stored / shard_name(1, 1)).read_bytes() == (new / shard_name(1, 1)).read_bytes()


def test_store_that_goes_away_says_to_run_it_again(bench: Workbench) -> None:
    gate = Gate(bench.server.endpoint, limit=PART + PART // 2)
    model = write_model(bench.folder / "model", shards=1, shard_bytes=SHARD)
    process = bench.start(
        "upload-model-to-r2.py", MODEL, "--local-dir", model, "--part-size", "5", "--attempts", "2",
        R2_ENDPOINT=gate.endpoint,
    )  # fmt: skip
    assert gate.held.wait(ENDS_WITHIN)
    gate.close()
    _, err = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 75, err
    assert "Run it again" in err


def test_interrupted_by_hand_it_says_so(bench: Workbench, gate: Gate) -> None:
    model = write_model(bench.folder / "model", shards=1, shard_bytes=SHARD)
    process = bench.start(
        "upload-model-to-r2.py", MODEL, "--local-dir", model, "--part-size", "5", R2_ENDPOINT=gate.endpoint
    )
    assert gate.held.wait(ENDS_WITHIN)
    # The part in flight will never end: nobody waits for it.
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=ENDS_WITHIN)
    assert process.returncode == 130, err
    assert "interrupted" in err
