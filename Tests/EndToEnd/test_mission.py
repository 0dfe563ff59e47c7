"""The main job, end to end: from the request to READY, through the death of the engine, to a clean stop."""

from __future__ import annotations

import itertools
import re
from datetime import datetime, timedelta

import pytest
from crosslogic.engine import Engine
from crosslogic.model import MODEL
from crosslogic.s3 import BUCKET
from crosslogic.stack import Stack
from mission import EVENT_PREFIX, Record, complete_flight

PHASES = [
    "agent_started", "assignment_received", "preflight_done", "engine_exec", "engine_import", "engine_config",
    "engine_core_spawn", "worker_spawn", "model_init", "weights_stream", "weights_done", "compile", "kv_profile",
    "graph_capture", "server_listening", "health_ok", "first_token", "ready_acked",
]  # fmt: skip

# With --enforce-eager nothing is compiled and no graph is captured: absent phases are absent, never zero.
ABSENT = {"compile", "graph_capture"}

# As vLLM names them.
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# What is promised is one second; a machine busy with other tests adds to it. It is less than the real engine's server
# goes on without its core.
FAILED_WITHIN = 2.0


@pytest.fixture(scope="module")
def record(stack: Stack, engine: Engine) -> Record:
    return complete_flight(stack, engine)


def marks(record: Record) -> dict[str, float]:
    return {mark["phase"]: mark["at_s"] for mark in record.first_serving().heartbeat["timeline"]}


def test_phases_come_in_order_and_the_absent_ones_are_absent(record: Record) -> None:
    timeline = record.first_serving().heartbeat["timeline"]
    names = [mark["phase"] for mark in timeline]
    assert names == [phase for phase in PHASES if phase not in ABSENT]
    times = [mark["at_s"] for mark in timeline]
    assert times == sorted(times)


def test_every_mark_says_who_saw_it(record: Record) -> None:
    sources = {mark["phase"]: mark["source"] for mark in record.first_serving().heartbeat["timeline"]}
    assert set(sources.values()) <= {"agent", "log", "process", "probe"}
    if record.agent.engine.is_real:
        # The stand-in replays ten times as fast: its log can overtake the look at its processes.
        assert sources["engine_core_spawn"] == "process"
    assert sources["weights_stream"] == "log"
    assert sources["first_token"] == "probe"


def test_every_second_from_exec_to_the_first_token_has_a_name(record: Record) -> None:
    at = marks(record)
    whole = at["first_token"] - at["engine_exec"]
    phases = record.first_serving().heartbeat["phases"]
    named = sum(min(p["end_s"], at["first_token"]) - p["start_s"] for p in phases if p["start_s"] >= at["engine_exec"])
    assert named / whole >= 0.98, phases
    for earlier, later in itertools.pairwise(phases):
        assert earlier["end_s"] <= later["start_s"]


def test_ready_is_sent_only_after_the_first_token(record: Record) -> None:
    ready = [n for n in record.first_serving().notifications if n.fields.get("READY") == "1"]
    assert len(ready) == 1
    assert ready[0].boot_time >= marks(record)["first_token"]
    assert record.ready_codes_before
    assert set(record.ready_codes_before) == {503}
    assert record.first_serving().ready_status == 200


def test_status_line_tells_a_human_what_is_going_on(record: Record) -> None:
    lines = [n.fields["STATUS"] for n in record.first_serving().notifications if "STATUS" in n.fields]
    assert len(lines) > 2
    assert all(lines)


def test_states_only_go_forward(record: Record) -> None:
    states = ["booted", "waiting", "preparing", "starting", "loading", "verifying", "serving"]
    seen = [state for state, _ in itertools.groupby(beat["state"] for beat in record.beats)]
    first_start = seen[: seen.index("serving") + 1]
    assert first_start == [state for state in states if state in first_start]
    assert "loading" in first_start


def test_ready_event_carries_the_timings_of_the_heartbeat(record: Record) -> None:
    ready = record.events_of("ready")[0]["data"]
    beat = record.first_serving().heartbeat
    assert ready["timings"] == beat["timings"]
    assert set(ready["timings"]) == {
        "assignment_to_exec_s", "exec_to_health_s", "canary_s", "health_to_ready_s", "exec_to_ready_s",
        "assignment_to_ready_s",
    }  # fmt: skip
    shared = [mark for mark in beat["timeline"] if mark in ready["timeline"]]
    assert shared == ready["timeline"]


def test_timings_are_what_the_timeline_says(record: Record) -> None:
    at = marks(record)
    timings = record.first_serving().heartbeat["timings"]
    assert timings["exec_to_health_s"] == pytest.approx(at["health_ok"] - at["engine_exec"], abs=0.005)
    assert timings["assignment_to_exec_s"] == pytest.approx(at["engine_exec"] - at["assignment_received"], abs=0.005)
    assert timings["health_to_ready_s"] >= timings["canary_s"] > 0


def test_control_plane_knows_the_start_up_time(record: Record) -> None:
    node = record.first_serving().node
    assert node["state"] == "serving"
    assert node["startup_s"] == record.first_serving().heartbeat["timings"]["assignment_to_ready_s"]
    assert node["model"] == MODEL
    assert node["failure"] is None


def test_engine_got_what_the_request_asked_for(record: Record) -> None:
    main = next(p for p in record.first_serving().engine_processes if " serve " in f"{p.command} ")
    assert f"serve s3://{BUCKET}/{MODEL} " in main.command
    for words in (
        "--load-format runai_streamer",
        f"--served-model-name {MODEL}",
        "--gpu-memory-utilization 0.95",
        "--dtype bfloat16",
        "--enable-chunked-prefill",
        "--disable-log-stats",
        "--tensor-parallel-size 1",
        f"--port {record.agent.engine_port}",
        "--enforce-eager",
    ):
        assert words in main.command
    assert re.search(r'"concurrency": ?32\b', main.command)
    assert re.search(r'"memory_limit": ?5368709120\b', main.command)


def test_engine_has_a_session_of_its_own(record: Record) -> None:
    sessions = {process.session for process in record.first_serving().engine_processes}
    assert len(sessions) == 1
    assert record.agent.running.pid not in sessions


def test_served_model_answers(record: Record) -> None:
    assert record.first_serving().completion.status == 200
    assert record.first_serving().completion.json["choices"][0]["text"]


def test_credentials_file_is_for_its_owner_only(record: Record) -> None:
    assert record.first_serving().engine_env_mode == 0o600


def test_secrets_are_nowhere_but_where_they_are_used(record: Record) -> None:
    assert record.leaked == []


def test_death_of_the_engine_is_noticed_at_once(record: Record) -> None:
    assert record.failed_after is not None
    assert record.failed_after <= FAILED_WITHIN
    assert record.failed_event is not None
    assert record.failed_event["data"]["failure"]["class"] == "engine_died"
    assert record.failed_event["data"]["failure"]["message"]


def test_engine_is_started_again_and_serves_again(record: Record) -> None:
    first, again = record.first_serving(), record.served_again
    assert again
    assert again.completion.status == 200
    assert {p.pid for p in again.engine_processes}.isdisjoint(p.pid for p in first.engine_processes)
    assert len(record.events_of("ready")) == 2


def test_sockets_of_the_engine_lie_where_those_of_a_killed_one_are_removed(record: Record) -> None:
    """In /tmp each engine that is killed would leave some. That none is left at the end, `left_over` says."""
    first, again = record.first_serving(), record.served_again
    assert again
    for serving in (first, again):
        ours = {path for path in serving.engine_sockets if UUID.fullmatch(path.name)}
        assert ours
        assert {path.parent for path in ours} == {record.agent.runtime / "rpc"}
    assert first.engine_sockets & again.engine_sockets == set()


def test_stop_is_announced_drained_and_complete(record: Record) -> None:
    assert record.exit_code == 0
    assert record.survivors == []
    assert record.left_over == []
    assert any(n.fields.get("STOPPING") == "1" for n in record.notifications)
    assert record.final_node["state"] == "stopped"


def test_events_are_complete_cloud_events_in_order(record: Record) -> None:
    names = [event["type"].removeprefix(EVENT_PREFIX).removesuffix(".v1") for event in record.events]
    # Whether there is a logind to be heard depends on the machine.
    once = [name for name in names if name not in {"phase", "notice_source"}]
    assert once == [
        "agent_started", "assignment_accepted", "ready", "failed", "ready", "draining", "stopped"
    ]  # fmt: skip
    sequences = [event["sequence"] for event in record.events]
    assert sequences == sorted(sequences)
    assert [int(sequence) for sequence in sequences] == list(range(int(sequences[0]), int(sequences[0]) + len(names)))
    assert len({event["id"] for event in record.events}) == len(names)
    for event in record.events:
        assert event["specversion"] == "1.0"
        assert event["source"] == f"/nodes/{record.node}"
        assert event["data"]["node_id"] == record.node
        assert datetime.fromisoformat(event["time"]).utcoffset() == timedelta(0)
    assert record.final_node["sequence_gaps"] in (0, [])
