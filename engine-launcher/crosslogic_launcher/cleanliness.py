"""The proof that a process may be forked, or may wait: no GPU is in use, and no thread runs that a fork would lose."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

DEVICE = "/dev/nvidia"
TASKS = Path("/proc/self/task")
OPENBLAS_THREADS = (
    "scipy_openblas_get_num_threads64_",
    "scipy_openblas_get_num_threads",
    "openblas_get_num_threads64_",
    "openblas_get_num_threads",
)


def gpu_in_use() -> str | None:
    """Why the process counts as a user of a GPU. cuInit cannot be undone, and does not survive a fork."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_initialized():
        return "CUDA is initialised"
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            # The one that reads the folder.
            continue
        if target.startswith(DEVICE):
            return f"{target} is open"
    if DEVICE in Path("/proc/self/maps").read_text(errors="replace"):
        return f"memory of {DEVICE}* is mapped"
    return None


def unforkable(own_children: frozenset[int] = frozenset()) -> str | None:
    """Why the process may not be forked. Its children by fork are no reason; a helper that a module started is one."""
    return gpu_in_use() or stray_thread() or stray_child(own_children)


def stray_thread() -> str | None:
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if others:
        return f"the thread {others[0].name} runs"
    count = len(list(TASKS.iterdir())) - 1
    # OpenBLAS ends its threads before a fork and makes new ones after it (pthread_atfork); nobody else's are spared.
    if count > 0 and count > openblas_threads():
        return f"{count} native threads run, {openblas_threads()} of them OpenBLAS's"
    return None


def stray_child(own: frozenset[int]) -> str | None:
    for child in children():
        if child not in own:
            return f"a module has started process {child}"
    return None


def stray_descriptor(own: set[int]) -> str | None:
    """Of those that a process restored from this one's memory would believe to hold."""
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            target = entry.readlink()
            if int(entry.name) not in own:
                return f"{target} is open"
    return None


def children() -> list[int]:
    found: list[int] = []
    for task in TASKS.iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:
            # A thread that has ended meanwhile.
            continue
    return found


def end_children() -> None:
    """Helpers that modules have started: an exec would leave them behind."""
    for child in children():
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def openblas_threads() -> int:
    """Threads of the OpenBLAS copies that numpy, scipy and others bring along, besides the ones that call them."""
    total = 0
    for path in openblas_libraries():
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for symbol in OPENBLAS_THREADS:
            function = getattr(library, symbol, None)
            if function is not None:
                total += max(0, int(function()) - 1)
                break
    return total


def openblas_libraries() -> set[str]:
    found = set()
    for line in Path("/proc/self/maps").read_text(errors="replace").splitlines():
        path = line.partition("/")[2]
        if "openblas" in path.rpartition("/")[2]:
            found.add("/" + path)
    return found
