"""What a process has mapped, and which pages of it are its own (proc(5): maps, pagemap, stat)."""

from __future__ import annotations

import errno
import mmap
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = mmap.PAGESIZE
PRESENT, SWAPPED, OF_FILE = 1 << 63, 1 << 62, 1 << 61
"""Of an entry of pagemap."""
GAP = 8 * PAGE
"""Between two runs of own pages, that are then taken for one: fewer mappings when they are restored."""
ENTRIES = 1 << 16


@dataclass(frozen=True)
class Mapping:
    start: int
    end: int
    permissions: str
    """As the kernel writes them: rwxp."""
    offset: int
    inode: int
    name: str
    """Of a file, or what the kernel calls it; empty for anonymous memory."""

    @property
    def is_file(self) -> bool:
        return self.inode != 0

    @property
    def is_shared(self) -> bool:
        return self.permissions[3] == "s"

    @property
    def protection(self) -> int:
        bits = zip(self.permissions, (mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC), strict=False)
        return sum(bit for letter, bit in bits if letter != "-")


def mappings(pid: int | str) -> list[Mapping]:
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text(errors="surrogateescape").splitlines():
        place, permissions, offset, _, inode, *name = line.split(maxsplit=5)
        start, end = (int(part, 16) for part in place.split("-"))
        found.append(Mapping(start, end, permissions, int(offset, 16), int(inode), name[0] if name else ""))
    return found


def own_pages(pagemap: int, mapping: Mapping) -> Iterator[tuple[int, int]]:
    """Runs of pages that are nobody else's, from and to; with small gaps, whose pages may be another's."""
    gap = GAP if "r" in mapping.permissions else 0
    start = end = 0
    for address in pages(pagemap, mapping):
        if end and address - end <= gap:
            end = address + PAGE
            continue
        if end:
            yield start, end
        start, end = address, address + PAGE
    if end:
        yield start, end


def pages(pagemap: int, mapping: Mapping) -> Iterator[int]:
    for address in range(mapping.start, mapping.end, ENTRIES * PAGE):
        wanted = min(ENTRIES, (mapping.end - address) // PAGE)
        entries = array("Q", os.pread(pagemap, wanted * 8, address // PAGE * 8))
        if len(entries) != wanted:
            raise OSError(errno.EIO, f"the pages from {address:x} on are not told")
        for number, entry in enumerate(entries):
            if entry & (PRESENT | SWAPPED) and not entry & OF_FILE:
                yield address + number * PAGE


def wiped_on_fork(pid: int | str) -> set[int]:
    """Where mappings begin that the kernel empties in a child, or may empty at any time: keys of random numbers."""
    found, start = set(), 0
    with Path(f"/proc/{pid}/smaps").open(errors="surrogateescape") as lines:
        for line in lines:
            first = line.split(maxsplit=1)[0]
            if "-" in first and not first.endswith(":"):
                start = int(first.partition("-")[0], 16)
            elif first == "VmFlags:" and {"wf", "dp"} & set(line.split()[1:]):
                found.add(start)
    return found


MEMORY = ("start_code", "end_code", "start_stack", "start_data", "end_data", "start_brk")
STRINGS = ("arg_start", "arg_end", "env_start", "env_end")


def memory_limits(pid: int | str) -> dict[str, int]:
    """By the names of prctl_mm_map."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # The first of them is field 3.
    numbers = dict(zip(MEMORY, (26, 27, 28, 45, 46, 47), strict=True)) | dict(zip(STRINGS, range(48, 52), strict=True))
    return {name: int(fields[number - 3]) for name, number in numbers.items()}
