"""The instruments the other tests trust: each must be able to say no."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslogic import procfs
from crosslogic.canaries import Canaries
from crosslogic.notify import NotifySocket
from crosslogic.part import Part
from crosslogic.paths import ROOT
from crosslogic.ports import free_port
from crosslogic.waiting import NeverCameError, wait_for

SLEEPER = [sys.executable, "-c", "import signal; print('up', flush=True); signal.pause()"]


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Part]:
    part = Part("sleeper", SLEEPER, tmp_path / "sleeper.log", {"PATH": os.environ["PATH"]})
    part.wait_for_line("up", 10)
    yield part
    part.stop(5)


def test_secret_in_a_log_is_found(tmp_path: Path) -> None:
    canaries = Canaries()
    secret = canaries.new("store key")
    (tmp_path / "agent.log").write_text(f"connecting with {secret}\n")
    assert canaries.found_in_files(tmp_path, set()) == ["store key in agent.log"]
    assert canaries.found_in_files(tmp_path, {tmp_path / "agent.log"}) == []


def test_secret_in_a_command_line_is_found() -> None:
    canaries = Canaries()
    secret = canaries.new("store key")
    with subprocess.Popen([*SLEEPER, secret]) as process:
        hits = wait_for("the process is seen", canaries.found_in_command_lines, 5)
        process.kill()
    assert hits == [f"store key in argv of {process.pid}"]


def test_process_of_a_run_is_found_whatever_its_session(sleeper: Part, tmp_path: Path) -> None:
    assert [process.pid for process in procfs.writing_below(tmp_path)] == [sleeper.pid]
    assert [process.pid for process in procfs.of_session(sleeper.pid)] == [sleeper.pid]
    sleeper.stop(5)
    assert procfs.writing_below(tmp_path) == []
    assert not procfs.is_running(sleeper.pid)


def test_listening_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert port in procfs.listening_ports()
    assert port not in procfs.listening_ports()


def test_port_is_chosen_once_among_all_runs_and_never_by_the_kernel() -> None:
    mine = free_port()
    first_for_connections = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert mine < first_for_connections
    assert _chosen_by_another_run(looking_first_at=mine) != mine
    with socket.create_server(("127.0.0.1", mine + 1)):
        assert _chosen_by_another_run(looking_first_at=mine) not in {mine, mine + 1}


def _chosen_by_another_run(looking_first_at: int) -> int:
    code = (
        "import random; from crosslogic import ports;"
        f"random.randrange = lambda count: {looking_first_at} - ports._LOWEST;"
        "print(ports.free_port())"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "scripts/lib")}
    return int(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True).stdout)


def test_end_of_a_part_ends_the_wait_for_it(sleeper: Part) -> None:
    sleeper.send(signal.SIGKILL)
    with pytest.raises(NeverCameError, match="SIGKILL"):
        sleeper.wait_for_line("this never comes", 30)


def test_datagrams_are_written_down_in_order(tmp_path: Path) -> None:
    notify = NotifySocket(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(str(notify.path))
        client.send(b"STATUS=loading")
        client.send(b"READY=1\nSTATUS=serving")
    ready = notify.wait_for("READY", "1", 5)
    assert ready.fields == {"READY": "1", "STATUS": "serving"}
    assert notify.status_lines == ["loading", "serving"]
    assert notify.received[0].boot_time <= ready.boot_time
    notify.close()


def test_model_is_made_once_however_many_want_it_at_the_same_time(tmp_path: Path) -> None:
    environment = {**os.environ, "CROSSLOGIC_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT / "scripts" / "lib")}
    command = [sys.executable, "-c", "from crosslogic.model import ensure_model; print(ensure_model())"]
    makers = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    folders = {maker.communicate()[0].strip() for maker in makers}
    assert [maker.returncode for maker in makers] == [0] * len(makers)
    assert folders == {str(folder) for folder in tmp_path.iterdir()}
