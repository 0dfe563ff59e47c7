"""Keeps the memory of a process that has imported what a whole start imports.

A child of the fork server (the keeper) imports what the command does, too, and forks once more. That process waits in
C, its memory is written to a file, and it ends. A start that is restored from the file returns from the same wait.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import json
import os
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosslogic_launcher import checkpoint, cleanliness, image, inspection
from crosslogic_launcher.checkpoint import Place
from crosslogic_launcher.modules import COMMAND, ModuleList
from crosslogic_launcher.parent import die_with
from crosslogic_launcher.preload import preload

LIMIT = 1800
"""Seconds that keeping may take, on processors that others use."""
STANDARD = (0, 1, 2)


class UnkeepableError(Exception):
    """Why the process cannot be kept."""


class Handover(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("strings", "size", "arguments", "variables")]


@dataclass
class Given:
    """What the new process was started with."""

    arguments: list[str]
    environment: dict[str, str]


@dataclass
class Preloaded:
    """What a fork server has imported, and in which environments."""

    modules: ModuleList
    state: Path
    vllm: Path
    started_with: dict[str, str]
    """Before any import."""
    loaded_with: dict[str, str]
    """After all."""


class Memory:
    """The restored process's hold on what it was started with: it is read once, or forgotten."""

    def __init__(self, handover: Handover) -> None:
        self.handover = handover

    def take(self) -> Given:
        content = ctypes.string_at(self.handover.strings, self.handover.size)
        strings = [os.fsdecode(part) for part in content.split(b"\0")[:-1]]
        self.forget()
        # The first of them is the launcher's folder.
        arguments = strings[1 : self.handover.arguments]
        pairs = (variable.partition("=") for variable in strings[self.handover.arguments :])
        return Given(arguments, {name: value for name, _, value in pairs})

    def forget(self) -> None:
        ctypes.memset(self.handover.strings, 0, self.handover.size)


@dataclass
class Restored:
    """A process that is a kept one's memory."""

    memory: Memory
    preloaded: Preloaded


def keep(wanted: Preloaded, server: int) -> Restored:
    """Returns in a restored process alone. `server`: whose child this is."""
    try:
        settle(server)
        place = Place(wanted.state)
        lock = os.open(place.lock, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        place.new.unlink(missing_ok=True)
        facts = checkpoint.facts_now(wanted.vllm, wanted.modules, wanted.started_with)
        if place.has_failed_with(facts) or fits(place.facts(), facts):
            os._exit(0)
        prepare(wanted, place, facts, lock)
        library = ctypes.PyDLL(str(checkpoint.LIBRARY))
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            os.close(lock)
            return Restored(wait(library, theirs.detach()), wanted)
        theirs.close()
        write(pid, library, ours, place, facts)
    except BlockingIOError:
        # Another one is at work.
        pass
    except Exception as error:
        # Nobody waits for it; who looks for a checkpoint finds why there is none.
        Place(wanted.state).give_up({}, f"{type(error).__name__}: {error}")
    os._exit(0)


def settle(server: int) -> None:
    """Behind everything else on the machine, and gone with the fork server."""
    die_with(server)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LIMIT)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    silence()


def silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor in STANDARD:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def fits(kept: dict[str, Any], facts: dict[str, Any]) -> bool:
    return bool(kept) and checkpoint.misfit(kept, facts) is None


def prepare(wanted: Preloaded, place: Place, facts: dict[str, Any], lock: int) -> None:
    """All that the command imports, in the fork server's own memory. Ends the process where that makes it unfit."""
    try:
        inspection.install()
        # The command's own import, as a start makes it.
        __import__("vllm.entrypoints.cli.main")
        dirty = preload(wanted.modules.to_preload(COMMAND), cleanliness.unforkable)
        why = cleanliness.unforkable() or cleanliness.stray_descriptor({*STANDARD, lock})
        if why:
            raise UnkeepableError(f"{why} after the import of {dirty or 'the command'}")
    except Exception as error:
        place.give_up(facts, str(error))
        os._exit(1)
    # Restored with it, it would be printed by each start.
    sys.stdout.flush()
    gc.collect()
    # What is there is never looked at by the collector again: its pages stay as they are in the file.
    gc.freeze()


def wait(library: ctypes.PyDLL, keeper: int) -> Memory:
    """In the process whose memory is kept. It has no descriptor that a restored one would believe to hold, and ends by
    itself when nobody is left at the other end of its own.
    """
    signal.alarm(0)
    library.checkpoint_wait.restype = ctypes.POINTER(Handover)
    handover = library.checkpoint_wait(keeper)
    if not handover:
        os._exit(1)
    threading.main_thread()._set_native_id()  # type: ignore[attr-defined]
    return Memory(handover.contents)


def write(pid: int, library: ctypes.PyDLL, told: socket.socket, place: Place, facts: dict[str, Any]) -> None:
    try:
        if told.recv(1) != b"r":
            raise UnkeepableError("the kernel does not tell what a thread has registered")
        resume = ctypes.cast(library.checkpoint_resume, ctypes.c_void_p).value or 0
        kept = facts | {"processes": [pid, os.getpid(), os.getppid()], "sources": checkpoint.sources()}
        image.write(pid, json.dumps(kept).encode(), resume, place.new)
        place.new.replace(place.file)
        place.prove()
        place.failed.unlink(missing_ok=True)
    except (UnkeepableError, image.UnfitError, OSError) as error:
        place.give_up(facts, str(error))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
