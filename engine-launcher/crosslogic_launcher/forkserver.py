"""The process that has imported what vLLM's engine processes import, and forks them.

It does nothing else: one thread, no GPU, and the proof of both before each fork.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker, spawn
from pathlib import Path
from typing import Any, NoReturn

from crosslogic_launcher import cleanliness, client, environment, inspection, keeper, messages, oom, openmp, recorder
from crosslogic_launcher.keeper import Preloaded, Restored
from crosslogic_launcher.modules import ENGINE, ModuleList
from crosslogic_launcher.parent import die_with_parent
from crosslogic_launcher.preload import preload
from crosslogic_launcher.random_numbers import reseed

FIXED_DESCRIPTORS = 7
"""Of a request: for its answer, the child's data, its status, the resource tracker, the channel, output and errors."""
CLEANING_TRIES = 3
CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS)
NEVER = "never"
"""Instead of the seconds after which an idle server is kept."""


class BecomesKeeperError(Exception):
    """Unwinds the server in a child that is to be kept: no frame of it is to hold what the child has closed."""

    def __init__(self, server: int) -> None:
        super().__init__()
        self.server = server


@dataclass
class Idle:
    """What a server does once, when for so many seconds nobody has wanted anything."""

    seconds: float
    act: Callable[[ForkServer], None]
    after_fork: bool = False
    """Not before it has forked."""


class ForkServer:
    def __init__(
        self,
        channel: socket.socket,
        preloaded: Preloaded,
        idle: Idle | None,
        on_crash: Callable[[ForkServer], None] | None = None,
    ) -> None:
        """`on_crash` hears of a forked process that the kernel has ended for what it did."""
        self.channel = channel
        self.preloaded = preloaded
        self.on_crash = on_crash
        self.idle = self.usual_idle = idle
        self.status: dict[int, int] = {}
        """Of each child that lives, where its end is told."""
        self.keeper = 0
        self.wake: tuple[int, int] = (-1, -1)

    def run(self) -> None:
        self._prepare_signals()
        with selectors.DefaultSelector() as selector:
            selector.register(self.channel, selectors.EVENT_READ)
            selector.register(self.wake[0], selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select(self._patience())}
                if not ready and self.idle:
                    idle, self.idle = self.idle, None
                    idle.act(self)
                if self.wake[0] in ready:
                    os.read(self.wake[0], 4096)
                    self._reap()
                if self.channel in ready:
                    request = messages.receive(self.channel)
                    if request is None:
                        return
                    self._serve(*request)

    def _patience(self) -> float | None:
        if self.idle is None or (self.idle.after_fork and not self.status):
            return None
        return self.idle.seconds

    def fork_keeper(self) -> None:
        """Raises BecomesKeeperError in the child."""
        server = os.getpid()
        with contextlib.suppress(OSError):
            self.keeper = os.fork()
            if self.keeper == 0:
                self._leave_server()
                self._close(list(self.status.values()))
                raise BecomesKeeperError(server)

    def _end_keeper(self) -> None:
        """A start needs the processor, the disk and the memory; there will be another hour for it."""
        if self.keeper:
            os.kill(self.keeper, signal.SIGKILL)
            os.waitpid(self.keeper, 0)
            self.keeper = 0
            self.idle = self.usual_idle

    def _prepare_signals(self) -> None:
        """A terminal's Ctrl-C, or a signal to the group, is for those we have forked; we end with the last of them."""
        self.wake = os.pipe()
        for end in self.wake:
            os.set_blocking(end, False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wake[1], warn_on_full_buffer=False)

    def _serve(self, request: dict[str, Any], descriptors: list[int]) -> None:
        if len(descriptors) < FIXED_DESCRIPTORS:
            self._close(descriptors)
            return
        self._end_keeper()
        # It has waited long enough: the end of this process by the kernel would be that of the engine's whole unit.
        oom.adjust(request["oom_score"])
        with socket.socket(fileno=descriptors[0]) as answer:
            # Who has given up waiting has spawned the process instead.
            reason = None if hung_up(answer) else self._refusal(request) or self._fork(descriptors[1:], answer)
            if reason:
                reply(answer, {"refused": reason})
        self._close([descriptor for descriptor in descriptors[1:] if descriptor not in self.status.values()])

    def _refusal(self, request: dict[str, Any]) -> str | None:
        own = frozenset(self.status)
        return cleanliness.unforkable(own) or environment.not_preloaded({"LD_PRELOAD": request["libraries"]})

    def _fork(self, descriptors: list[int], answer: socket.socket) -> str | None:
        """Why there is no process. Its status' descriptor is kept, to tell its end."""
        try:
            pid = os.fork()
        except OSError as error:
            return str(error)
        if pid == 0:
            self._become_child(answer, descriptors)
        self.status[pid] = descriptors[1]
        reply(answer, {"pid": pid})
        return None

    def _become_child(self, answer: socket.socket, descriptors: list[int]) -> NoReturn:
        """The environment comes to nobody but this process: it may hold secrets, and a server's memory may be kept."""
        code = 1
        try:
            told = messages.receive(answer)
            answer.close()
            if told is None:
                os._exit(code)
            wanted = told[0]["environment"]
            data, status, tracker, channel, output, errors, *inherited = descriptors
            self._leave_server()
            self._close([status, *self.status.values()])
            os.dup2(output, 1)
            os.dup2(errors, 2)
            self._close([output, errors])
            environment.become(environment.with_imports(wanted, self.preloaded.started_with))
            openmp.adopt(self.preloaded.loaded_with, wanted)
            reseed()
            client.install(client.ForkServerLink(socket.socket(fileno=channel)))
            inspection.install()
            recorder.start(self.preloaded.modules.records, ENGINE)
            resource_tracker._resource_tracker._fd = tracker
            forkserver._forkserver._inherited_fds = inherited
            code = spawn._main(data, os.dup(data))
        except Exception:
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        finally:
            os._exit(code)

    def _leave_server(self) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        self.channel.close()
        self._close(list(self.wake))

    def _reap(self) -> None:
        while self.status or self.keeper:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.keeper:
                self.keeper = 0
            told = self.status.pop(pid, None)
            if told is None:
                continue
            code = os.waitstatus_to_exitcode(status)
            # Who asked for it may have ended before it.
            with contextlib.suppress(OSError):
                forkserver.write_signed(told, code)
            os.close(told)
            if -code in CRASHES and self.on_crash:
                self.on_crash(self)

    @staticmethod
    def _close(descriptors: list[int]) -> None:
        for descriptor in descriptors:
            os.close(descriptor)


def hung_up(answer: socket.socket) -> bool:
    poll = select.poll()
    poll.register(answer, select.POLLIN)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def reply(answer: socket.socket, message: dict[str, Any]) -> None:
    """Whoever asked may have ended meanwhile; others still need this server."""
    with contextlib.suppress(OSError):
        messages.send(answer, message)


def main(arguments: list[str]) -> Restored | None:
    """Returns when nobody is left who could ask; and in a restored process, which is to go on as what it was started
    for.
    """
    descriptor, state, version, vllm, idle, tries = arguments
    started_with = dict(os.environ)
    modules = ModuleList(Path(state), version)
    # Without the records: the command's own is still being written.
    modules.read()
    # While it imports: one whose import hangs would never hear that nobody is left who could ask.
    die_with_parent()
    dirty = preload(modules.to_preload(ENGINE), cleanliness.unforkable)
    if dirty and int(tries) < CLEANING_TRIES:
        # What a module has done cannot be undone: begin anew without it.
        modules.leave_out(dirty)
        cleanliness.end_children()
        os.set_inheritable(int(descriptor), True)
        again = ["fork-server", descriptor, state, version, vllm, idle, str(int(tries) + 1)]
        os.execve(sys.executable, [sys.executable, sys.argv[0], *again], started_with)
    die_with_parent(0)
    name_process()
    # Never looked at by the collector again: vLLM collects several times in a start, and each would copy its pages.
    gc.collect()
    gc.freeze()
    when_idle = Idle(float(idle), ForkServer.fork_keeper) if idle != NEVER else None
    preloaded = Preloaded(modules, Path(state), Path(vllm), started_with, dict(os.environ))
    try:
        ForkServer(socket.socket(fileno=int(descriptor)), preloaded, when_idle).run()
    except BecomesKeeperError as becoming:
        server = becoming.server
    else:
        return None
    return keeper.keep(preloaded, server)


def name_process(name: str = "CROSSLOGIC::ForkServer") -> None:
    """setproctitle learns where the title is when it is first used, which must be before the environment changes."""
    try:
        import setproctitle  # noqa: PLC0415 - vLLM's, and optional there
    except ImportError:
        return
    setproctitle.setproctitle(name)
