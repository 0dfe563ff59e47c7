"""What the agent relies on in vLLM, asserted on the real one and on the stand-in alike."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from conftest import PlainEngine, PlainStarter
from crosslogic import http, procfs
from crosslogic.engine import Engine, SimulatedEngine
from crosslogic.model import MODEL
from crosslogic.waiting import wait_for


def health(engine: PlainEngine) -> int | None:
    answer = http.try_get(engine.url + "/health")
    return answer.status if answer else None


def wait_until_healthy(started: PlainEngine, engine: Engine) -> None:
    wait_for("/health 200", lambda: health(started) == 200, engine.start_seconds, started.part.why_gone)


def titles(started: PlainEngine) -> dict[str, procfs.Process]:
    return {process.title: process for process in procfs.of_session(started.part.pid)}


def wait_for_title(started: PlainEngine, engine: Engine, title: str) -> procfs.Process:
    return wait_for(title, lambda: titles(started).get(title), engine.start_seconds, started.part.why_gone)


def no_process_left(started: PlainEngine) -> bool:
    return not procfs.of_session(started.part.pid)


@pytest.fixture(scope="module")
def serving(start_plain: PlainStarter, engine: Engine) -> Iterator[PlainEngine]:
    """One that serves, for the tests that only look."""
    if isinstance(engine, SimulatedEngine):
        engine.behave()
    started = start_plain()
    wait_until_healthy(started, engine)
    yield started
    started.part.stop(60)


def test_processes_carry_the_titles_of_the_real_ones(serving: PlainEngine) -> None:
    found = titles(serving)
    assert found["VLLM::EngineCore"].parent == serving.part.pid
    assert found["VLLM::Worker"].parent == found["VLLM::EngineCore"].pid
    assert any("resource_tracker" in process.command for process in procfs.of_session(serving.part.pid))


def test_says_its_version_and_its_model(serving: PlainEngine) -> None:
    assert http.call("GET", serving.url + "/version").json["version"] == "0.32.0"
    models = http.call("GET", serving.url + "/v1/models").json["data"]
    assert [(model["id"], model["max_model_len"]) for model in models] == [(MODEL, 512)]


def test_completes_one_token(serving: PlainEngine) -> None:
    request = {"model": MODEL, "prompt": "Hello", "max_tokens": 1, "temperature": 0}
    answer = http.call("POST", serving.url + "/v1/completions", request, seconds=60)
    assert answer.status == 200
    assert answer.json["model"] == MODEL
    assert answer.json["choices"][0]["finish_reason"] == "length"
    assert answer.json["usage"]["completion_tokens"] == 1


def test_streams_tokens_and_says_when_it_is_done(serving: PlainEngine) -> None:
    request = {"model": MODEL, "prompt": "Hello", "max_tokens": 4, "ignore_eos": True, "stream": True}
    text = http.call("POST", serving.url + "/v1/completions", request, seconds=60).text
    events = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert len(events) == 5
    assert events[-1] == "[DONE]"


def test_refuses_a_model_it_does_not_serve(serving: PlainEngine) -> None:
    answer = http.call("POST", serving.url + "/v1/completions", {"model": "nobody/nothing", "prompt": "Hello"})
    assert answer.status == 404
    assert answer.json["error"]["type"] == "NotFoundError"


def test_metrics_without_log_stats_count_requests_only(serving: PlainEngine) -> None:
    """--disable-log-stats takes every family of vLLM's own away."""
    http.call("POST", serving.url + "/v1/completions", {"model": MODEL, "prompt": "Hello", "max_tokens": 1})
    text = http.call("GET", serving.url + "/metrics").text
    assert "vllm:" not in text
    assert re.search(r'^http_requests_total\{handler="/v1/completions".*\} [1-9]', text, re.MULTILINE)


def test_second_one_on_the_same_port_gives_up(serving: PlainEngine, start_plain: PlainStarter, engine: Engine) -> None:
    second = start_plain(port=serving.port)
    assert second.part.wait(engine.start_seconds) == 1
    assert "Address already in use" in second.part.text()
    assert health(serving) == 200


def test_unknown_flag_ends_with_exit_code_2(start_plain: PlainStarter, engine: Engine) -> None:
    started = start_plain(extra=("--no-such-flag",))
    assert started.part.wait(engine.start_seconds) == 2
    assert "unrecognized arguments: --no-such-flag" in started.part.text()


def test_wrong_secret_is_refused_by_the_store(start_plain: PlainStarter, engine: Engine) -> None:
    if isinstance(engine, SimulatedEngine):
        engine.behave(transcript=engine.transcript("wrong-secret"))
    started = start_plain(secret_key="wrong")
    assert started.part.wait(engine.start_seconds) == 1
    assert "SignatureDoesNotMatch" in started.part.text()


def test_missing_model_is_a_bad_repository(start_plain: PlainStarter, engine: Engine) -> None:
    if isinstance(engine, SimulatedEngine):
        engine.behave(transcript=engine.transcript("missing-model"))
    started = start_plain(model="acme/no-such-model")
    assert started.part.wait(engine.start_seconds) == 1
    assert "Invalid repository ID or local directory specified" in started.part.text()


def test_port_is_closed_until_the_end_of_the_start_and_one_sigterm_is_lost(
    start_plain: PlainStarter, engine: Engine
) -> None:
    if isinstance(engine, SimulatedEngine):
        # Seconds until it listens.
        engine.behave(speed=3)
    started = start_plain()
    wait_for_title(started, engine, "VLLM::EngineCore")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", started.port)) != 0
    started.part.send(signal.SIGTERM)
    wait_until_healthy(started, engine)
    started.part.send(signal.SIGTERM)
    assert started.part.wait(60) == 0
    wait_for("no process is left", lambda: no_process_left(started), 10)


def test_killed_engine_core_is_503_then_refused_then_exit_code_0(start_plain: PlainStarter, engine: Engine) -> None:
    if isinstance(engine, SimulatedEngine):
        # It answers 503 for a second and a half.
        engine.behave(speed=2)
    started = start_plain()
    wait_until_healthy(started, engine)
    os.kill(titles(started)["VLLM::EngineCore"].pid, signal.SIGKILL)
    wait_for("/health 503", lambda: health(started) == 503, 2)
    wait_for("/health refused", lambda: health(started) is None, 15)
    assert started.part.wait(15) == 0
    wait_for("no process is left", lambda: no_process_left(started), 10)


def test_killed_api_server_leaves_engine_core_and_worker_alive(start_plain: PlainStarter, engine: Engine) -> None:
    if isinstance(engine, SimulatedEngine):
        engine.behave()
    started = start_plain()
    # No need to wait for the end of the start: it is the same at any time.
    wait_for_title(started, engine, "VLLM::Worker")
    started.part.send(signal.SIGKILL)
    assert started.part.wait(10) == -signal.SIGKILL
    watched_until = time.monotonic() + 2
    wait_for("two seconds", lambda: time.monotonic() > watched_until, 5)
    left = titles(started)
    assert {"VLLM::EngineCore", "VLLM::Worker"} <= set(left)
    os.killpg(started.part.pid, signal.SIGKILL)
    wait_for("no process is left", lambda: no_process_left(started), 10)
