"""Models that are not streamed: downloaded, checked, kept within bounds, and served from the disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from crosslogic import broken_models, http
from crosslogic.agent import Agent
from crosslogic.engine import Engine
from crosslogic.model import MODEL, ensure_model
from crosslogic.paths import ROOT
from crosslogic.s3 import BUCKET, S3Server
from crosslogic.stack import Stack
from crosslogic.waiting import wait_for
from scripted_control_plane import ScriptedControlPlane
from support import STARTS_WITHIN, StartAgent, assignment, wait_for_state

sys.path.append(str(ROOT / "Tests" / "Operator"))
from cdn_stand_in import CDN

SLOW_MEGABYTES_PER_S = 1.0


def downloaded(stack: Stack, generation: int = 1, **changes: Any) -> dict[str, Any]:
    return assignment(stack, generation, use_runai_streamer=False, **changes)


def of_store(stack: Stack, store: S3Server, generation: int = 1) -> dict[str, Any]:
    wanted = downloaded(stack, generation)
    wanted["r2"] |= {
        "endpoint": store.endpoint, "access_key_id": store.access_key, "secret_access_key": store.secret_key
    }  # fmt: skip
    return wanted


def folder_of(agent: Agent) -> Path:
    """The one model that is there."""
    (folder,) = [path for path in Path(agent.settings["CROSSLOGIC_MODEL_DIR"]).iterdir() if path.is_dir()]
    return folder


def holds_the_model(folder: Path) -> bool:
    files = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
    return files == {path.name: path.read_bytes() for path in ensure_model().iterdir()}


@pytest.fixture
def slow_store(stack: Stack) -> S3Server:
    number = len(list(stack.folder.glob("slow-*.log")))
    store = S3Server(
        stack.rclone, stack.folder / f"slow-{number}", stack.folder / f"slow-{number}.log", stack.canaries,
        SLOW_MEGABYTES_PER_S,
    )  # fmt: skip
    # Past the limit, which is the server's both ways.
    target = stack.folder / f"slow-{number}" / BUCKET / MODEL
    target.mkdir(parents=True)
    for path in ensure_model().iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return store


@pytest.fixture
def start_download(start_agent: StartAgent, plane: ScriptedControlPlane, tmp_path: Path) -> Any:
    def start(**settings: str) -> Agent:
        return start_agent(plane.url, CROSSLOGIC_MODEL_DIR=str(tmp_path / "models"), **settings)

    return start


def test_model_is_downloaded_and_served_from_the_disk(
    stack: Stack, plane: ScriptedControlPlane, engine: Engine, tmp_path: Path
) -> None:
    plane.assign(**downloaded(stack))
    agent = stack.add_agent(
        engine, f"disk-{engine.name}", "token", url=plane.url, CROSSLOGIC_MODEL_DIR=str(tmp_path / "models")
    )
    agent.start()
    try:
        beat = wait_for_state(agent, "serving", engine.start_seconds)
        assert beat["download"]["cache"] == "cold"
        assert beat["download"]["bytes"] == beat["download"]["total_bytes"] > 10_000_000
        assert holds_the_model(folder_of(agent))
        argv = json.loads((agent.runtime / "engine.argv").read_text())
        assert argv[2] == str(folder_of(agent))
        assert not [word for word in argv if "load-format" in word or "model-loader" in word]
        # An engine that loads files needs no key of the store.
        assert "AWS_" not in (agent.runtime / "engine.env").read_text()
        spans = {span["name"]: span for span in agent.timeline()["phases"]}
        assert spans["downloading"]["bytes"] == beat["download"]["bytes"]
        assert plane.wait_for_event("ready", 10)["data"]["download"]["cache"] == "cold"
        completion = http.call(
            "POST", agent.engine_url + "/v1/completions", {"model": MODEL, "prompt": "the river", "max_tokens": 4},
            seconds=60,
        )  # fmt: skip
        assert completion.status == 200

        plane.assign(**downloaded(stack, 2, max_model_len=256))
        wait_for("the second start", lambda: plane.events_of("ready")[1:], engine.start_seconds)
        beat = agent.heartbeat()
        assert (beat["generation"], beat["download"]["cache"]) == (2, "warm")
        assert "downloading" not in {mark["phase"] for mark in beat["timeline"]}
    finally:
        agent.running.stop(30)
    assert stack.left_over(agent) == []


def test_download_shows_its_bytes_and_ends_at_once_when_another_model_is_wanted(
    stack: Stack, plane: ScriptedControlPlane, start_download: Any, slow_store: S3Server
) -> None:
    plane.assign(**of_store(stack, slow_store))
    agent = start_download()

    def moving() -> dict[str, Any] | None:
        answer = http.try_get((agent.heartbeat_url or "") + "/v1/heartbeat")
        beat = answer.json if answer and answer.status == 200 else None
        return beat if beat and beat["phase"] == "downloading" and beat["progress"]["bytes"] else None

    beat = wait_for("bytes of the download", moving, STARTS_WITHIN, agent.running.why_gone)
    assert beat["state"] == "preparing"
    assert beat["progress"]["bytes"] <= beat["progress"]["total_bytes"] == beat["download"]["bytes"]
    assert "downloading" in beat["status"]
    plane.assign(**assignment(stack, 2))
    # The rest of the download would take a quarter of a minute.
    beat = wait_for_state(agent, "serving", 7)
    assert (beat["generation"], beat["download"]) == (2, None)
    assert not holds_the_model(folder_of(agent))


def test_download_goes_on_where_an_agent_was_killed(
    stack: Stack, plane: ScriptedControlPlane, start_download: Any, slow_store: S3Server
) -> None:
    plane.assign(**of_store(stack, slow_store))
    agent = start_download()

    def some_file() -> bool:
        root = Path(agent.settings["CROSSLOGIC_MODEL_DIR"])
        return any(path.name == "config.json" for path in root.glob("*/*"))

    wait_for("a whole file", some_file, STARTS_WITHIN, agent.running.why_gone)
    agent.running.process.kill()
    agent.running.wait(10)
    wanted = of_store(stack, slow_store, 2)
    plane.assign(**wanted)
    # The first agent's address is in the first one's log.
    agent.log = agent.log.with_name("again.log")
    agent.start()
    beat = wait_for_state(agent, "serving", 60)
    assert beat["download"]["cache"] == "partial"
    assert beat["download"]["bytes"] < beat["download"]["total_bytes"]
    assert holds_the_model(folder_of(agent))


def test_store_that_goes_away_is_tried_again(
    stack: Stack, plane: ScriptedControlPlane, start_download: Any, slow_store: S3Server
) -> None:
    plane.assign(**of_store(stack, slow_store))
    agent = start_download()
    wait_for(
        "the download", lambda: "downloading" in agent.log.read_text(), STARTS_WITHIN, agent.running.why_gone
    )  # fmt: skip
    slow_store.stop()
    failure = plane.wait_for_event("failed", 40)["data"]["failure"]
    assert (failure["class"], failure["retry"]) == ("endpoint_unreachable", "retry")


def test_model_that_is_not_whole_is_not_downloaded(
    stack: Stack, plane: ScriptedControlPlane, start_download: Any, tmp_path: Path
) -> None:
    for number, (change, failure) in enumerate(broken_models.FATAL.items()):
        model = broken_models.upload(stack.store, change, tmp_path / f"broken-{number}")
        plane.assign(**downloaded(stack, number + 1, model_uri=f"s3://{BUCKET}/{model}"))
        if number == 0:
            start_download()
        event = wait_for("failed", lambda: plane.events_of("failed")[number:], STARTS_WITHIN)[0]  # noqa: B023
        assert event["data"]["failure"]["class"] == failure, change.__name__
    assert not list((tmp_path / "models").glob("*/*.safetensors"))


def test_models_make_room_for_each_other(stack: Stack, plane: ScriptedControlPlane, start_download: Any) -> None:
    other = "acme/tiny-llama-2"
    stack.store.upload(ensure_model(), other)
    plane.assign(**downloaded(stack))
    agent = start_download(CROSSLOGIC_MODEL_CACHE_LIMIT="30000000")
    wait_for_state(agent, "serving")
    first = folder_of(agent)
    plane.assign(**downloaded(stack, 2, model_uri=f"s3://{BUCKET}/{other}"))
    wait_for("the second start", lambda: plane.events_of("ready")[1:], STARTS_WITHIN)
    assert folder_of(agent) != first
    assert f"{first}" in agent.log.read_text()


def test_model_that_has_no_room_is_refused_before_it_is_downloaded(
    stack: Stack, plane: ScriptedControlPlane, start_download: Any
) -> None:
    plane.assign(**downloaded(stack))
    start_download(CROSSLOGIC_MODEL_CACHE_LIMIT="1000000")
    failure = plane.wait_for_event("failed", STARTS_WITHIN)["data"]["failure"]
    assert failure["class"] == "local_storage"
    assert "CROSSLOGIC_MODEL_CACHE_LIMIT" in failure["message"]


@pytest.mark.parametrize("cut", [0, 1])
def test_configuration_comes_from_the_cdn_and_from_the_store_where_that_has_something_else(
    stack: Stack, plane: ScriptedControlPlane, start_download: Any, cut: int
) -> None:
    with CDN(stack.folder / "s3" / BUCKET, cut=cut) as cdn:
        wanted = downloaded(stack)
        wanted["r2"]["cdn_domain"] = cdn.url
        plane.assign(**wanted)
        agent = start_download()
        wait_for_state(agent, "serving")
        names = {path.rpartition("/")[2] for path in cdn.requested}
    assert {"config.json", "tokenizer.json"} <= names
    assert not [name for name in names if name.endswith(".safetensors")]
    assert holds_the_model(folder_of(agent))
