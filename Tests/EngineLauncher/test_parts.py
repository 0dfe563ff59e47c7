"""Parts of the launcher on their own, where a whole start would show nothing."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from crosslogic import procfs
from crosslogic.launchable import LAUNCHER
from crosslogic.waiting import wait_for
from crosslogic_launcher import client, environment, forkserver, messages
from crosslogic_launcher.keeper import Preloaded
from crosslogic_launcher.modules import ENGINE, ModuleList
from crosslogic_launcher.preload import preload
from crosslogic_launcher.recorder import Recorder


def test_a_server_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        link = client.ForkServerLink(ours)
        for _ in range(2):
            with pytest.raises(client.RefusedError, match="has not answered"):
                link.fork([])
        theirs.settimeout(10)
        _, descriptors = messages.receive(theirs) or ({}, [])
        # The channel was among them; nobody else is left who could ask, so the server ends when it comes to it.
        for descriptor in descriptors:
            os.close(descriptor)
        assert messages.receive(theirs) is None


def test_a_requester_that_is_gone_is_forked_nothing_and_others_still_are(tmp_path: Path) -> None:
    link = client.ForkServerLink.start(LAUNCHER, [str(tmp_path), "0", "/bin/vllm", forkserver.NEVER, "0"], output=2)
    server = link.server
    assert isinstance(server, subprocess.Popen)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    with theirs, Path(os.devnull).open() as nowhere:
        number = nowhere.fileno()
        messages.send(link.channel, {"libraries": "", "oom_score": 0}, [theirs.fileno(), *[number] * 6])
    pid, sentinel, to_child = link.fork([])
    try:
        assert [process.pid for process in procfs.processes() if process.parent == server.pid] == [pid]
    finally:
        for descriptor in (to_child, sentinel):
            os.close(descriptor)
        link.channel.close()
    wait_for("the server ends with the last channel", lambda: server.poll() is not None, 30)


def test_an_answer_to_nobody_and_a_fork_that_fails_are_no_end_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        assert not forkserver.hung_up(theirs)
        ours.close()
        assert forkserver.hung_up(theirs)
        forkserver.reply(theirs, {"pid": 1})
        monkeypatch.setattr(os, "fork", fail)
        preloaded = Preloaded(ModuleList(tmp_path, "0"), tmp_path, tmp_path / "vllm", {}, {})
        server = forkserver.ForkServer(theirs, preloaded, None)
        assert "temporarily unavailable" in (server._fork([0, 1], theirs) or "")
        assert not server.status


def test_a_library_counts_as_there_only_where_it_is_loaded(tmp_path: Path) -> None:
    maps = Path("/proc/self/maps").read_text().splitlines()
    libc = next("/" + line.partition("/")[2] for line in maps if "/libc" in line)
    link = tmp_path / "libc.so"
    link.symlink_to(libc)
    for value in (libc, str(link), f"{libc} {link}", Path(libc).name):
        assert environment.not_preloaded({"LD_PRELOAD": value}) is None
    absent = str(tmp_path / "libtcmalloc.so")
    assert environment.not_preloaded({"LD_PRELOAD": f"{libc}:{absent}"}) == f"LD_PRELOAD brings {absent}"
    assert environment.not_preloaded({}) is None


def test_a_name_that_was_only_looked_for_is_taken_back(tmp_path: Path) -> None:
    modules = ModuleList(tmp_path, "0")
    recorder = Recorder(modules.records, ENGINE)
    for name in ("json", "not_there", "not_there.either", "os", "the_last"):
        recorder.find_spec(name)
    os.close(recorder.descriptor)
    modules.load()
    # Nobody knows of the last one.
    assert modules.names[ENGINE] == ["json", "os", "the_last"]


def test_what_others_still_record_is_left_to_them(tmp_path: Path) -> None:
    modules = ModuleList(tmp_path, "0")
    modules.records.mkdir()
    record = modules.records / "command.1"
    record.write_text("vllm\n")
    modules.read()
    modules.leave_out("vllm.one")
    assert record.exists()
    other = ModuleList(tmp_path, "0")
    other.leave_out("vllm.two")
    modules.load()
    assert (modules.names["command"], modules.left_out) == (["vllm"], ["vllm.one", "vllm.two"])


def test_a_module_that_fails_after_it_has_done_harm_is_the_one_to_blame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "harmful_and_broken.py").write_text("import sys\nsys.harm = 'done'\nraise ValueError\n")
    (tmp_path / "harmless_one.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "harm", None, raising=False)
    names = ["not_there", "harmful_and_broken", "harmless_one"]
    assert preload(names, lambda: getattr(sys, "harm", None)) == "harmful_and_broken"
    assert "harmless_one" not in sys.modules
