"""Against a store that gives ETags: nothing is read back to know that it is the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic.canaries import Canaries
from gate import Gate
from workbench import HashingServer, Server, Workbench, shard_name, write_model


@pytest.fixture(scope="module")
def server(rclone: Path) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="crosslogic-operator-"))
    server = HashingServer(rclone, folder, Canaries())
    yield server
    server.stop()
    shutil.rmtree(folder)


def test_what_is_there_is_known_by_its_etag(bench: Workbench) -> None:
    model = write_model(bench.folder / "model")
    first = bench.upload("--local-dir", model)
    assert first.code == 0, first.err
    assert {file["verified"] for file in first.json["files"]} == {"etag"}
    gate = Gate(bench.server.endpoint)
    again = bench.upload("--local-dir", model, R2_ENDPOINT=gate.endpoint)
    gate.close()
    assert {(file["action"], file["verified"]) for file in again.json["files"]} == {("present", "etag")}
    assert [request for request in gate.requests if request.startswith("PUT")] == []


def test_other_content_of_the_same_size_is_known_by_its_etag(bench: Workbench) -> None:
    bench.store_model(write_model(bench.folder / "old", seed=1))
    ran = bench.upload("--local-dir", write_model(bench.folder / "new", seed=2))
    actions = {file["name"]: file["action"] for file in ran.json["files"]}
    assert actions[shard_name(1)] == "uploaded"
    assert actions["config.json"] == "present"
