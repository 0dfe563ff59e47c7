"""Starts from a checkpoint: the memory of a process that has imported all, restored."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import struct
import time
from pathlib import Path

import pytest
from crosslogic import procfs
from crosslogic.launchable import launcher
from crosslogic.waiting import wait_for
from crosslogic_launcher import checkpoint, image
from crosslogic_launcher.checkpoint import Place
from crosslogic_launcher.header import HEADER
from starts import SECONDS, Ended, Installation, Parked

SECRETS = {"AWS_SECRET_ACCESS_KEY": "canary-of-the-store", "HF_TOKEN": "canary-of-the-hub"}
RESTORED = ["standby restored from a checkpoint", "preload restored from a checkpoint"]
STARTS = int(os.environ.get("CROSSLOGIC_LAUNCHER_STARTS", "12"))

pytestmark = pytest.mark.skipif(
    not (launcher() / "native" / "restore").exists(),
    reason="what restores is not built here: docs/contract.md",
)


@pytest.fixture
def kept(recorded: Installation) -> Installation:
    """One with a checkpoint."""
    recorded.start()
    assert recorded.keep() == ""
    return recorded


def serve(installation: Installation, *argv: str, **variables: str) -> Ended:
    """By a parked start."""
    parked = installation.park()
    assert parked.go(*argv, **variables) == "ok"
    return parked.end()


@pytest.mark.parametrize("mode", ["standby", "preload"])
def test_a_restored_start_serves_with_what_it_is_given(kept: Installation, mode: str) -> None:
    argv = ("report", "--model", "x")
    ended = serve(kept, *argv, **SECRETS) if mode == "standby" else kept.start(*argv, **SECRETS)
    assert ended.code == 0
    assert ended.origin == f"{mode} restored from a checkpoint"
    report = ended.report
    assert report["argv"] == ["report", "--model", "x"]
    assert report["exit_code"] == 7
    assert report["core"]["parent"] != report["command"]
    assert report["worker"]["parent"] == report["inspection"]["parent"] == report["core"]["parent"]
    for process in (report["core"], report["worker"]):
        assert process["was_there"]
        assert SECRETS.items() <= process["environment"].items()
        assert process["environment"]["OMP_NUM_THREADS"] == "3"


def test_it_is_a_process_like_any_other(kept: Installation) -> None:
    before = time.monotonic()
    report = serve(kept).report
    vigour = report["vigour"]
    assert signal.SIGUSR1 in vigour["heard"]
    assert vigour["thread"] == report["command"]
    assert vigour["child"] == "42"
    assert vigour["depth"] == 900
    assert vigour["memory"] == sum(1 << shift for shift in range(4, 27))
    assert before < vigour["monotonic"] < time.monotonic()
    assert vigour["descriptors"][:3] == [0, 1, 2]
    assert vigour["name"] == "python"
    command = kept.command("park", "--socket", str(kept.socket))
    assert [word for word in vigour["title"] if word] == command


def test_no_two_starts_draw_the_same_numbers(kept: Installation) -> None:
    drawn = [number for _ in range(3) for number in serve(kept).report["vigour"]["drawn"]]
    assert len(set(drawn)) == len(drawn) == 6


@pytest.mark.parametrize("mode", ["standby", "kept"])
def test_what_imports_have_set_in_the_environment_stays(recorded: Installation, mode: str) -> None:
    if mode == "kept":
        recorded.keep()
    ended = serve(recorded)
    assert ("restored" in ended.origin) == (mode == "kept")
    assert ended.report["core"]["environment"]["VLLM_STANDIN_SET_BY_IMPORT"] == "yes"


def test_no_secret_is_kept_of_a_start_that_had_some(recorded: Installation) -> None:
    recorded.start()
    parked = recorded.park(CROSSLOGIC_CHECKPOINT="0", **SECRETS)
    wait_for("it is kept", recorded.checkpoint.exists, SECONDS)
    assert parked.go("report", **SECRETS) == "ok"
    assert parked.end().code == 0
    content = recorded.checkpoint.read_bytes()
    assert b"canary" not in content
    # What is looked for would be found, were it there.
    assert b"VLLM_STANDIN_SET_BY_IMPORT" in content


def test_no_secret_is_kept_beside_an_engine_that_has_some(recorded: Installation) -> None:
    """By its fork server, which has forked processes with them."""
    recorded.start()
    parked = recorded.park(CROSSLOGIC_CHECKPOINT="3")
    assert parked.go("report", AWS_STANDIN_LIVES="1", **SECRETS) == "ok"
    assert not recorded.checkpoint.exists()
    wait_for("it is kept", recorded.checkpoint.exists, SECONDS)
    parked.kill()
    assert b"canary" not in recorded.checkpoint.read_bytes()


def test_where_an_address_that_imports_read_holds_a_password_none_is_kept(recorded: Installation) -> None:
    variables = {"VLLM_MIRROR": "https://user:canary@mirror"}
    assert idle_of(recorded.park(CROSSLOGIC_CHECKPOINT="0", **variables)) == "never"


def idle_of(parked: Parked) -> str:
    """After how many seconds its fork server is kept; from the arguments it is started with."""

    def look() -> str | None:
        words = [process.command.split() for process in parked.members]
        return next((word[-2] for word in words if "fork-server" in word), None)

    try:
        return wait_for("the fork server is there", look, SECONDS)
    finally:
        parked.kill()


def test_it_is_its_users_alone(kept: Installation) -> None:
    assert kept.checkpoint.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("setting", "idle"), [("off", "never"), ("7", "7.0"), ("", "20.0")])
def test_how_long_a_server_is_idle_before_it_is_kept(recorded: Installation, setting: str, idle: str) -> None:
    assert idle_of(recorded.park(CROSSLOGIC_CHECKPOINT=setting)) == idle


def test_none_is_used_where_it_is_not_wanted(kept: Installation) -> None:
    ended = kept.start(CROSSLOGIC_CHECKPOINT="off")
    assert ended.origin == "preload"
    assert ended.report["exit_code"] == 7


def test_a_variable_that_imports_may_have_read_is_named(kept: Installation) -> None:
    ended = kept.start(VLLM_USE_THIS="1")
    assert ended.said[0] == "not restored, because VLLM_USE_THIS differs"
    assert ended.origin == "preload"
    assert ended.report["exit_code"] == 7


def test_one_that_is_read_late_is_no_reason(kept: Installation) -> None:
    assert "restored" in kept.start(RUNAI_STREAMER_CONCURRENCY="4", RUNTIME_DIRECTORY="/run/other").origin


def install_again(installation: Installation) -> str:
    information = next(installation.package("").parent.glob("vllm-*.dist-info"))
    shutil.copytree(information.rename(installation.folder / "before"), information)
    return "installation is another one"


def change_modules(installation: Installation) -> str:
    installation.list_also("engine", "json")
    return "the list of modules is another one"


def change_launcher(installation: Installation) -> str:
    installation.change_launcher("oom.py", "FIRST = 1000", "FIRST = 999")
    return "launcher is another one"


def change_processor(installation: Installation) -> str:
    return rewrite(installation, lambda facts: facts["processors"].__setitem__(0, ["model name : 486"])) or (
        "the processor is another one"
    )


def change_affinity(installation: Installation) -> str:
    return rewrite(installation, lambda facts: facts["processors"].__setitem__(1, [99])) or (
        "other processors may be used"
    )


def change_kernel(installation: Installation) -> str:
    return rewrite(installation, lambda facts: facts["kernel"].__setitem__(1, "2.6.32")) or "kernel is another one"


def change_gpus(installation: Installation) -> str:
    return rewrite(installation, lambda facts: facts["GPUs"].append("nvidia7")) or (
        "the GPU or its driver is another one"
    )


def rewrite(installation: Installation, change: object) -> str:
    """Facts that the machine has changed since; they are written where the longer ones were."""
    content = bytearray(installation.checkpoint.read_bytes())
    _, _, _, offset, size, *_ = HEADER.unpack_from(content)
    facts = json.loads(content[offset : offset + size])
    change(facts)  # type: ignore[operator]
    other = json.dumps(facts, separators=(",", ":")).encode()
    assert len(other) <= size
    content[offset : offset + size] = other.ljust(size)
    installation.checkpoint.write_bytes(content)
    return ""


@pytest.mark.parametrize(
    "change",
    [
        *(install_again, change_modules, change_launcher),
        *(change_processor, change_affinity, change_kernel, change_gpus),
    ],
)
def test_whatever_else_differs_is_named_and_the_start_imports(kept: Installation, change: object) -> None:
    why = change(kept)  # type: ignore[operator]
    ended = serve(kept)
    assert ended.said[0] == f"not restored, because {why}"
    assert ended.origin == "standby"
    assert ended.report["exit_code"] == 7


def truncate(content: bytearray) -> bytearray:
    return content[: len(content) // 2]


def spoil_magic(content: bytearray) -> bytearray:
    content[:8] = b"NOTHING!"
    return content


def spoil_tables(content: bytearray) -> bytearray:
    header = list(HEADER.unpack_from(content))
    struct.pack_into("<Q", content, header[9] + 8, 1 << 60)
    return content


def empty(_: bytearray) -> bytearray:
    return bytearray()


@pytest.mark.parametrize("spoil", [truncate, spoil_magic, spoil_tables, empty])
def test_a_damaged_file_is_not_restored(kept: Installation, spoil: object) -> None:
    kept.checkpoint.write_bytes(spoil(bytearray(kept.checkpoint.read_bytes())))  # type: ignore[operator]
    ended = kept.start()
    assert ended.said[0].startswith("not restored, because ")
    assert ended.origin == "preload"
    assert ended.report["exit_code"] == 7


def test_a_mapped_file_that_is_another_is_named(kept: Installation) -> None:
    content = bytearray(kept.checkpoint.read_bytes())
    header = HEADER.unpack_from(content)
    # Its size, as if it had another one now.
    struct.pack_into("<Q", content, header[5] + 8, 12345)
    kept.checkpoint.write_bytes(content)
    library = mapped_files(kept)[0]
    ended = kept.start()
    assert ended.said[0] == f"not restored, because {library} is another file now"
    assert ended.report["exit_code"] == 7


def mapped_files(installation: Installation) -> list[Path]:
    content = installation.checkpoint.read_bytes()
    header = HEADER.unpack_from(content)
    entries = [image.FILE.unpack_from(content, header[5] + index * image.FILE.size) for index in range(header[6])]
    return [Path(os.fsdecode(content[entry[0] : content.index(b"\0", entry[0])])) for entry in entries]


def test_a_layout_in_which_addresses_are_always_taken_is_left(recorded: Installation) -> None:
    recorded.start()
    # Without randomisation the native program's stack is where the kept one's is.
    assert recorded.keep("setarch", "-R") == ""
    parked = recorded.park("setarch", "-R")
    assert parked.go() == "ok"
    ended = parked.end()
    assert ended.said[0].startswith("not restored, because address ")
    assert ended.origin == "standby"
    # With it there is room.
    assert "restored" in serve(recorded).origin


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ("thread1", "the thread stray runs"),
        ("descriptor", "/trouble/descriptor.py is open"),
        ("shared", "is mapped"),
        ("deleted", "is mapped"),
    ],
)
def test_a_process_that_cannot_be_kept_is_not_and_says_why(recorded: Installation, trouble: str, why: str) -> None:
    recorded.start()
    recorded.list_also("engine", f"vllm.trouble.{trouble}")
    if trouble == "thread1":
        # As where the fork server does not find it out: the keeper does.
        recorded.list_also("command", f"vllm.trouble.{trouble}")
        recorded.change_launcher(
            "forkserver.py", "preload(modules.to_preload(ENGINE), cleanliness.unforkable)", "preload([], lambda: None)"
        )
    assert why in recorded.keep()
    assert not recorded.checkpoint.exists()
    # Nobody tries again within the hour.
    failed, lock = recorded.state / "checkpoint.failed", recorded.state / "checkpoint.lock"
    written = failed.stat().st_mtime_ns
    lock.unlink()
    parked = recorded.park(CROSSLOGIC_CHECKPOINT="0")
    wait_for("another keeper has come", lock.exists, SECONDS)
    wait_for("and gone", lambda: len(parked.members) == 2, SECONDS)
    parked.kill()
    assert failed.stat().st_mtime_ns == written


def test_a_keeper_that_fails_says_why(recorded: Installation) -> None:
    recorded.start()
    recorded.change_launcher("keeper.py", "    gc.collect()\n", "    gc.nothing()\n")
    assert recorded.keep() == "AttributeError: module 'gc' has no attribute 'nothing'"


def test_a_disk_without_room_is_named(recorded: Installation) -> None:
    recorded.start()
    recorded.change_launcher("image.py", "FREE = 256 << 20", "FREE = 1 << 60")
    assert "has no room for" in recorded.keep()
    assert not recorded.checkpoint.exists()
    assert not (recorded.state / "checkpoint.new").exists()


def test_a_keeper_that_is_killed_leaves_nothing_that_would_be_used(recorded: Installation) -> None:
    recorded.start()
    recorded.change_launcher("image.py", "os.fsync(file.fileno())", "os.kill(os.getpid(), 9)")
    parked = recorded.park(CROSSLOGIC_CHECKPOINT="0")
    wait_for("it was being written", (recorded.state / "checkpoint.new").exists, SECONDS)
    wait_for("the keeper and what it kept are gone", lambda: len(parked.members) == 2, SECONDS)
    parked.kill()
    assert not recorded.checkpoint.exists()
    assert serve(recorded).origin == "standby"


def test_starts_that_come_to_nothing_end_it_for_an_hour(kept: Installation) -> None:
    place = Place(kept.state)
    for number in range(1, checkpoint.MOST_CLAIMS + 1):
        parked = kept.park()
        assert parked.go("report", AWS_STANDIN_LIVES="1") == "ok"
        wait_for("it starts", lambda number=number: place.claimed == number, SECONDS)
        parked.kill()
    ended = kept.start()
    why = "none of the last 3 starts from the checkpoint has lasted five minutes yet or ended in order"
    assert ended.said[0] == f"not restored, because {why}"
    assert not kept.checkpoint.exists()
    facts = json.loads(place.failed.read_text())["facts"]
    assert place.failed.stat().st_mode & 0o777 == 0o600
    assert place.has_failed_with(facts)
    assert not place.has_failed_with(facts | {"kernel": []})


@pytest.mark.parametrize("clock", [2 * checkpoint.RETRY_AFTER, -2 * checkpoint.RETRY_AFTER])
def test_a_clock_that_was_wrong_is_no_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: float) -> None:
    place, now = Place(tmp_path), time.time()
    place.give_up({"kernel": []}, "any")
    monkeypatch.setattr(time, "time", lambda: now + clock)
    assert not place.has_failed_with({"kernel": []})


def test_starts_that_end_in_order_take_nothing_from_its_trust(kept: Installation) -> None:
    for _ in range(checkpoint.MOST_CLAIMS + 1):
        assert "restored" in serve(kept).origin
    assert Place(kept.state).claimed == 0


def test_an_engine_that_crashes_counts_though_its_command_ends_in_order(kept: Installation) -> None:
    ended = kept.start(AWS_STANDIN_CRASHES="1")
    assert ended.code == 0
    assert ended.report["exit_code"] == -signal.SIGSEGV
    assert Place(kept.state).claimed == 1


def test_one_that_the_native_program_refuses_is_kept_anew(kept: Installation) -> None:
    content = bytearray(kept.checkpoint.read_bytes())
    struct.pack_into("<Q", content, HEADER.unpack_from(content)[5] + 8, 12345)
    kept.checkpoint.write_bytes(content)
    parked = kept.park(CROSSLOGIC_CHECKPOINT="0")
    wait_for("it is kept", lambda: kept.checkpoint.exists() and len(parked.members) == 2, SECONDS)
    parked.kill()
    assert "restored" in serve(kept).origin
    assert Place(kept.state).claimed == 0


def test_claims_that_cannot_be_written_are_no_reason_to_fail(kept: Installation) -> None:
    parked = kept.park()
    wait_for("it waits", lambda: Place(kept.state).claimed == 0 and kept.socket.exists(), SECONDS)
    Place(kept.state).claims.unlink(missing_ok=True)
    Place(kept.state).claims.mkdir()
    assert parked.go() == "ok"
    assert parked.end().report["exit_code"] == 7


def test_a_source_of_vllms_that_was_edited_is_named(kept: Installation) -> None:
    source = kept.package("v1/worker.py")
    source.write_text(source.read_text() + "# mended\n")
    ended = kept.start()
    assert ended.said[0] == f"not restored, because {source} is another file now"
    assert ended.report["exit_code"] == 7


def test_what_a_fork_is_to_find_empty_it_does(recorded: Installation) -> None:
    """As libraries notice that they are in another process, and draw other numbers."""
    recorded.start()
    recorded.list_also("engine", "vllm.trouble.wiped")
    assert recorded.keep() == ""
    ended = serve(recorded)
    assert "restored" in ended.origin
    assert ended.report["vigour"]["wiped"] == ["abcd", "\0\0\0\0"]


def test_a_go_ends_the_keeper_and_another_one_follows(recorded: Installation) -> None:
    recorded.start()
    recorded.change_launcher("keeper.py", "    gc.collect()\n", "    signal.pause()\n")
    parked = recorded.park(CROSSLOGIC_CHECKPOINT="0.1")
    first = wait_for("a keeper is there", lambda: next(iter(keepers(parked)), None), SECONDS)
    assert parked.go("report", AWS_STANDIN_LIVES="1") == "ok"
    second = wait_for("another one is", lambda: next((k for k in keepers(parked) if k != first), None), SECONDS)
    assert first not in keepers(parked)
    usual = Path("/proc/self/oom_score_adj").read_text()
    assert Path(f"/proc/{second}/oom_score_adj").read_text() == usual
    parked.kill()


def keepers(parked: Parked) -> list[int]:
    """Processes behind everything else on the machine."""
    found = []
    for process in parked.members:
        try:
            if os.sched_getscheduler(process.pid) == os.SCHED_IDLE:
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found


def test_one_that_only_waits_takes_nothing_from_its_trust(kept: Installation) -> None:
    for _ in range(checkpoint.MOST_CLAIMS + 1):
        parked = kept.park()
        wait_for("it waits", lambda: Place(kept.state).claimed == 0, SECONDS)
        parked.kill()
    assert "restored" in serve(kept).origin


def test_one_whose_process_ends_in_the_middle_counts(kept: Installation) -> None:
    content = bytearray(kept.checkpoint.read_bytes())
    # To where nothing can be executed.
    struct.pack_into("<Q", content, 14 * 8, 0)
    kept.checkpoint.write_bytes(content)
    assert kept.start().code == -signal.SIGSEGV
    assert Place(kept.state).claimed == 1


def test_an_engine_that_lives_proves_it(kept: Installation) -> None:
    kept.change_launcher("restored.py", "PROOF = 300.0", "PROOF = 0.1")
    kept.checkpoint.unlink()
    assert kept.keep() == ""
    place = Place(kept.state)
    place.claim()
    parked = kept.park()
    assert parked.go("report", AWS_STANDIN_LIVES="1") == "ok"
    wait_for("it is proved", lambda: place.claimed == 0, SECONDS)
    parked.kill()


def test_nothing_outlives_a_restored_start_that_is_killed(kept: Installation) -> None:
    parked = kept.park()
    assert len(parked.settle()) == 2
    parked.kill()
    wait_for("its fork server is gone", lambda: not procfs.of_session(parked.process.pid), 20)


def test_the_kernel_ends_a_restored_one_first_while_it_waits(kept: Installation) -> None:
    parked = kept.park()
    scores = {int(Path(f"/proc/{process.pid}/oom_score_adj").read_text()) for process in parked.settle()}
    assert scores == {1000}
    assert parked.go() == "ok"
    report = parked.end().report
    usual = int(Path("/proc/self/oom_score_adj").read_text())
    assert {report["oom_score"], report["core"]["oom_score"]} == {usual}


def test_no_process_is_left_after_many_starts_that_keep_and_restore(recorded: Installation) -> None:
    chance = random.Random(13)
    sessions = []
    for _ in range(STARTS):
        parked = recorded.park(CROSSLOGIC_CHECKPOINT="0")
        sessions.append(parked.process.pid)
        kind = chance.choice(["go", "kill", "terminate", "forget"])
        if kind == "go":
            assert parked.go() == "ok"
        elif kind == "forget":
            recorded.checkpoint.unlink(missing_ok=True)
            Place(recorded.state).prove()
        if kind != "go":
            parked.process.send_signal(signal.SIGTERM if kind == "terminate" else signal.SIGKILL)
        parked.process.communicate(timeout=60)
    wait_for("none is left", lambda: not any(procfs.of_session(session) for session in sessions), 30)
