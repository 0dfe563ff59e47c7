"""A start that waits for its go."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
from pathlib import Path

from crosslogic import procfs
from crosslogic.waiting import wait_for
from starts import Installation

SECRETS = {"AWS_SECRET_ACCESS_KEY": "canary-of-the-store", "HF_TOKEN": "canary-of-the-hub"}
STARTS = int(os.environ.get("CROSSLOGIC_LAUNCHER_STARTS", "12"))


def test_a_parked_start_serves_with_what_the_go_brings(recorded: Installation) -> None:
    parked = recorded.park()
    assert parked.go("report", "--model", "x", **SECRETS, RUNAI_STREAMER_CONCURRENCY="4") == "ok"
    ended = parked.end()
    assert ended.code == 0
    assert ended.said[0].startswith("standby, ")
    report = ended.report
    assert report["argv"] == ["report", "--model", "x"]
    assert report["command"] == parked.process.pid
    assert report["core"]["parent"] != report["command"]
    for process in (report["core"], report["worker"]):
        assert SECRETS.items() <= process["environment"].items()


def test_nothing_is_in_the_log_and_no_secret_in_the_process_before_the_go(recorded: Installation) -> None:
    parked = recorded.park()
    for process in parked.settle():
        assert b"canary" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    assert parked.go(**SECRETS) == "ok"
    assert parked.end().output.startswith("crosslogic-launcher: standby, ")


def test_a_variable_that_imports_may_have_read_is_named_and_the_start_waits_on(recorded: Installation) -> None:
    parked = recorded.park(VLLM_USE_THIS="1")
    assert parked.go(VLLM_USE_THIS="2") == "refused: VLLM_USE_THIS differs from what was set when it parked"
    assert parked.go() == "refused: VLLM_USE_THIS differs from what was set when it parked"
    assert parked.go(VLLM_USE_THIS="1") == "ok"
    assert parked.end().code == 0


def test_another_installed_vllm_is_refused(recorded: Installation) -> None:
    link = recorded.folder / "current"
    link.symlink_to("engine")
    recorded.vllm = link / "bin" / "vllm"
    parked = recorded.park()
    link.unlink()
    (recorded.folder / "other" / "bin").mkdir(parents=True)
    (recorded.folder / "other" / "bin" / "vllm").write_text("")
    link.symlink_to("other")
    assert parked.go() == "refused: another vLLM is installed now"
    parked.kill()


def test_another_vllm_in_the_same_place_is_refused(recorded: Installation) -> None:
    parked = recorded.park()
    parked.settle()
    information = next(recorded.package("").parent.glob("vllm-*.dist-info"))
    shutil.copytree(information.rename(recorded.folder / "before"), information)
    assert parked.go() == "refused: another vLLM is installed now"
    parked.kill()


def test_an_import_that_hangs_after_the_go_ends_in_a_plain_start_and_is_left_out(recorded: Installation) -> None:
    recorded.start()
    recorded.list_also("command", "vllm.trouble.hang")
    recorded.change_launcher("hang.py", "PATIENCE = 30.0", "PATIENCE = 4.0")
    parked = recorded.park()
    assert parked.go("report", "--model", "x", **SECRETS) == "ok"
    ended = parked.end()
    assert ended.said == ["plain, because the import of vllm.trouble.hang hangs"]
    assert ended.report["command"] == parked.process.pid
    assert ended.report["argv"] == ["report", "--model", "x"]
    assert ended.report["core"]["parent"] == parked.process.pid
    assert SECRETS.items() <= ended.report["core"]["environment"].items()
    assert ended.report["oom_score"] == oom_score(os.getpid())
    assert recorded.modules["left_out"] == ["vllm.trouble.hang"]


def test_half_a_message_and_nonsense_change_nothing(recorded: Installation) -> None:
    parked = recorded.park()
    for nonsense in (b"", b"Aserve\0", b"\xff\xfe\0"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(recorded.socket))
            connection.sendall(nonsense)
    assert parked.go() == "ok"
    assert parked.end().code == 0


def test_without_recorded_modules_the_go_starts_a_recording_one(installation: Installation) -> None:
    parked = installation.park()
    # With nothing imported there is nothing to begin anew for: it listens all the time.
    assert parked.go(**SECRETS) == "ok"
    ended = parked.end()
    assert ended.said[0] == "not standby, because no modules are recorded yet"
    assert ended.said[1].startswith("plain, because no modules are recorded")
    assert ended.report["command"] == parked.process.pid
    assert ended.report["core"]["environment"]["HF_TOKEN"] == SECRETS["HF_TOKEN"]


def test_a_module_with_which_the_command_holds_a_gpu_is_left_out_and_the_start_waits_on(recorded: Installation) -> None:
    recorded.start()
    recorded.list_also("command", "vllm.trouble.cuda")
    parked = recorded.park()
    wait_for("it begins anew", lambda: [p for p in parked.members if p.command.endswith("--tries 1")], 30)
    assert parked.go() == "ok"
    ended = parked.end()
    assert ended.said[0].startswith("standby, ")
    assert recorded.modules["left_out"] == ["vllm.trouble.cuda"]
    assert ended.report["exit_code"] == 7


def test_a_command_that_itself_holds_a_gpu_before_anybody_asked_does_not_serve(recorded: Installation) -> None:
    recorded.start()
    main = recorded.package("entrypoints/cli/main.py")
    main.write_text(main.read_text().replace("import sys\n", "import sys\nimport vllm.trouble.cuda\n"))
    why = "CUDA is initialised after the import of vLLM's command"
    parked = recorded.park()
    # It has become a process that holds nothing, and neither does another one.
    wait_for("it begins anew", lambda: [p.command.rpartition("--because ")[2] for p in parked.members] == [why], 30)
    assert parked.go() == "ok"
    ended = parked.end()
    assert ended.said[0] == f"not standby, because {why}"
    assert ended.said[1].startswith("preload, ")
    assert ended.report["exit_code"] == 7


def oom_score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def test_the_kernel_ends_it_first_while_it_waits_and_like_any_engine_when_it_serves(recorded: Installation) -> None:
    usual = oom_score(os.getpid())
    parked = recorded.park()
    assert {oom_score(process.pid) for process in parked.settle()} == {1000}
    assert parked.go() == "ok"
    report = parked.end().report
    assert (report["core"]["oom_score"], report["worker"]["oom_score"]) == (usual, usual)
    assert {report["oom_score"], report["server_oom_score"]} == {usual}


def test_the_socket_is_for_its_user_alone(recorded: Installation) -> None:
    parked = recorded.park()
    assert recorded.socket.stat().st_mode & 0o077 == 0
    parked.kill()


def test_nothing_outlives_a_parked_start_that_is_killed(recorded: Installation) -> None:
    parked = recorded.park()
    parked.settle()
    parked.kill()
    wait_for("its fork server is gone", lambda: not procfs.of_session(parked.process.pid), 20)


def test_no_process_is_left_after_many_starts_and_stops_in_mixed_modes(recorded: Installation) -> None:
    """`CROSSLOGIC_LAUNCHER_STARTS` for more of them."""
    chance = random.Random(8)
    sessions = []
    for _ in range(STARTS):
        kind = chance.choice(["preload", "go", "kill", "terminate", "refuse"])
        if kind == "preload":
            assert recorded.start().code == 0
            continue
        parked = recorded.park()
        sessions.append(parked.process.pid)
        if kind == "refuse":
            assert parked.go(VLLM_OTHER="1").startswith("refused")
        if kind == "go":
            assert parked.go() == "ok"
        elif kind == "terminate":
            parked.process.send_signal(signal.SIGTERM)
        else:
            parked.process.send_signal(signal.SIGKILL)
        parked.process.communicate(timeout=60)
    wait_for("none is left", lambda: not any(procfs.of_session(session) for session in sessions), 30)
