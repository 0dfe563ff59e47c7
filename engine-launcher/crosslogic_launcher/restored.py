"""A start in the memory of a process that was kept: its fork server, and whether the checkpoint was of any use."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from crosslogic_launcher import client, keeper
from crosslogic_launcher.checkpoint import Place
from crosslogic_launcher.forkserver import ForkServer, Idle, name_process
from crosslogic_launcher.keeper import Restored

PROOF = 300.0
"""Seconds that a process forked from a restored server has lived, after which the checkpoint counts as good: it has
loaded a model and answered.
"""


def fork_restored(found: Restored) -> client.ForkServerLink:
    """The fork server of a restored start: the same memory once more, without what the start is given."""
    show_command_line()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            ours.close()
            found.memory.forget()
            keeper.silence()
            name_process()
            ForkServer(theirs, found.preloaded, Idle(PROOF, prove, after_fork=True), doubt).run()
            code = 0
        finally:
            os._exit(code)
    theirs.close()
    return client.ForkServerLink(ours, client.Forked(pid))


def prove(server: ForkServer) -> None:
    Place(server.preloaded.state).prove()


def doubt(server: ForkServer) -> None:
    """vLLM's command ends with 0 when its engine has crashed: its own claim says nothing then."""
    with contextlib.suppress(OSError):
        Place(server.preloaded.state).claim()


def show_command_line() -> None:
    """As the native program has written it, but by setproctitle: that clears no more than what it wrote before."""
    name_process(Path("/proc/self/cmdline").read_text(errors="surrogateescape").rstrip("\0").replace("\0", " "))
