"""What the kernel says about processes and ports. Zombies are left out: they run nothing and hold nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    session: int
    command: str
    """The command line, words joined by blanks; the kernel's short name in brackets where there is none."""

    @property
    def title(self) -> str:
        return self.command.split()[0] if self.command else ""


@dataclass(frozen=True)
class Memory:
    """In bytes."""

    resident: int
    proportional: int
    """Of a page that several processes have mapped, this one's share alone."""
    private: int
    """Written to, and so neither shared with anyone nor dropped when memory is short: what the process itself costs."""
    unique: int
    """Private, plus pages of its own files that nobody else has mapped."""


def processes() -> Iterator[Process]:
    for entry in PROC.iterdir():
        # Any of them may end while it is being looked at.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if entry.name.isdigit() and (process := read_process(int(entry.name))):
                yield process


def read_process(pid: int) -> Process | None:
    """None for a zombie. Raises where there is no such process."""
    name, state, parent, _, session = stat_fields(pid)[:5]
    if state == "Z":
        return None
    words = (PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    command = b" ".join(words).decode("utf-8", "replace").strip()
    return Process(pid, int(parent), int(session), command or f"[{name}]")


def stat_fields(pid: int) -> list[str]:
    """Name, state, parent, group, session, … The name may hold blanks and parentheses: split at the last one."""
    text = (PROC / str(pid) / "stat").read_text()
    head, _, rest = text.rpartition(")")
    return [head.partition("(")[2], *rest.split()]


def of_session(session: int) -> list[Process]:
    return [process for process in processes() if process.session == session]


def writing_below(folder: Path) -> list[Process]:
    """Processes whose standard output or error is a file in the folder: whatever session or parent they have by now."""
    prefix = f"{folder}/"
    found = []
    for process in processes():
        for descriptor in ("1", "2"):
            with contextlib.suppress(OSError):
                target = (PROC / str(process.pid) / "fd" / descriptor).readlink()
                if str(target).startswith(prefix):
                    found.append(process)
                    break
    return found


def is_running(pid: int) -> bool:
    try:
        return read_process(pid) is not None
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_seconds(pid: int) -> float:
    """User and system time since the process started."""
    fields = stat_fields(pid)
    return (int(fields[12]) + int(fields[13])) / TICKS


def sleeps(pid: int) -> dict[int, int]:
    """How often each thread has gone to sleep so far; each time something woke it up again."""
    counts = {}
    for task in (PROC / str(pid) / "task").iterdir():
        # It may end while it is being looked at.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            status = (task / "status").read_text()
            counts[int(task.name)] = int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return counts


def descriptors(pid: int) -> int:
    return len(list((PROC / str(pid) / "fd").iterdir()))


def memory(pid: int) -> Memory:
    sizes: dict[str, int] = {}
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) * 1024
    private = sizes["Private_Dirty"]
    return Memory(sizes["Rss"], sizes["Pss"], private, private + sizes["Private_Clean"])


def listening_ports() -> set[int]:
    """TCP ports anyone listens on, IPv4 and IPv6."""
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            if state == "0A":
                ports.add(int(local.rpartition(":")[2], 16))
    return ports


def bound_sockets(pids: list[int]) -> set[Path]:
    """Paths of the Unix sockets that these processes have bound, or accepted connections on."""
    inodes = set()
    for pid in pids:
        # Any of them may end meanwhile.
        with contextlib.suppress(OSError):
            links = [link.readlink().name for link in (PROC / str(pid) / "fd").iterdir()]
            inodes |= {name[8:-1] for name in links if name.startswith("socket:")}
    lines = [line.split() for line in (PROC / "net" / "unix").read_text().splitlines()[1:]]
    return {Path(words[7]) for words in lines if len(words) > 7 and words[6] in inodes}


def command_lines() -> dict[int, str]:
    return {process.pid: process.command for process in processes()}
