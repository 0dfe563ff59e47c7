"""Makes multiprocessing's `spawn` fork from the fork server where that is safe, and spawn where it is not."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
from multiprocessing import connection, context, popen_forkserver, popen_spawn_posix, resource_tracker, spawn, util
from multiprocessing.context import reduction
from pathlib import Path
from typing import Any, Protocol

from crosslogic_launcher import environment, messages, oom
from crosslogic_launcher.report import say

PATIENCE = 30.0
"""Seconds for an answer: the server may still be importing. A start that says nothing for 60 is taken for stalled."""


class RefusedError(Exception):
    """Why there is no process from the fork server."""


class Server(Protocol):
    """The fork server, where it is a child of this process."""

    def kill(self) -> None: ...
    def wait(self) -> object: ...


class Forked:
    """A child by fork, in the words of `subprocess`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        os.waitpid(self.pid, 0)


class ForkServerLink:
    """The way to the server, for the process that started it and for all that it has forked."""

    def __init__(self, channel: socket.socket, server: Server | None = None) -> None:
        """`server` where it is a child of this process, which has forked nobody so far."""
        self.channel = channel
        self.server = server
        self.given_up: str | None = None

    @classmethod
    def start(cls, launcher: Path, arguments: list[str], output: int) -> ForkServerLink:
        """`output` takes what its imports print. It hears of no secret: those are told to what it has forked."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            server = subprocess.Popen(
                [sys.executable, launcher, "fork-server", str(theirs.fileno()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment.early(os.environ),
                pass_fds=[theirs.fileno()],
            )
        return cls(ours, server)

    def fork(self, inherited: list[int]) -> tuple[int, int, int]:
        """The new process's pid, where its end can be read, and where what it is to do is written."""
        if self.given_up:
            raise RefusedError(self.given_up)
        data, to_child = os.pipe()
        sentinel, status = os.pipe()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fixed = [theirs.fileno(), data, status, resource_tracker.getfd(), self.channel.fileno(), 1, 2]
        try:
            with ours:
                request = {"libraries": os.environ.get("LD_PRELOAD", ""), "oom_score": oom.score()}
                messages.send(self.channel, request, [*fixed, *inherited])
                theirs.close()
                if not connection.wait([ours], PATIENCE):
                    raise RefusedError(self._give_up())
                reply = messages.receive(ours)
                if reply is None:
                    raise RefusedError("the fork server has ended")
                if "pid" not in reply[0]:
                    raise RefusedError(str(reply[0].get("refused")))
                messages.send(ours, {"environment": dict(os.environ)})
            self.server = None
            return int(reply[0]["pid"]), sentinel, to_child
        except (OSError, ValueError, RefusedError) as error:
            util.close_fds(sentinel, to_child)
            raise RefusedError(str(error)) from error
        finally:
            theirs.close()
            util.close_fds(data, status)

    def _give_up(self) -> str:
        """For good: nobody waits a second time for a server whose import hangs, and its memory is given back."""
        self.given_up = f"the fork server has not answered within {PATIENCE:.0f} s"
        self.channel.close()
        # One that has forked reports the ends of its children: without it they would count as dead.
        if self.server:
            self.server.kill()
            self.server.wait()
        return self.given_up


class Popen(popen_forkserver.Popen):
    """As multiprocessing's own, with the environment of the moment: spawn hands that on, its fork server does not."""

    link: ForkServerLink

    def _launch(self, process_obj: Any) -> None:
        preparation = spawn.get_preparation_data(process_obj._name)
        # The launcher is the main module; there is nothing in it that a child would have to import.
        preparation.pop("init_main_from_path", None)
        preparation.pop("init_main_from_name", None)
        content = io.BytesIO()
        context.set_spawning_popen(self)
        try:
            reduction.dump(preparation, content)
            reduction.dump(process_obj, content)
        finally:
            context.set_spawning_popen(None)
        self.pid, self.sentinel, to_child = self.link.fork(self._fds)
        # Its copy in this process is the child's sign that we live.
        ours = os.dup(to_child)
        self.finalizer = util.Finalize(self, util.close_fds, (ours, self.sentinel))
        with os.fdopen(to_child, "wb") as pipe:
            pipe.write(content.getbuffer())


def install(link: ForkServerLink) -> None:
    Popen.link = link

    def start(process_obj: Any) -> Any:
        try:
            return Popen(process_obj)
        except RefusedError as reason:
            say(f"{process_obj.name}: spawned, because {reason}")
            return popen_spawn_posix.Popen(process_obj)

    context.SpawnProcess._Popen = staticmethod(start)
