"""The file of a checkpoint: the memory of a process that waits. native/checkpoint.h says how it is laid out."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from crosslogic_launcher import mappings
from crosslogic_launcher.header import HEADER, MAGIC
from crosslogic_launcher.mappings import PAGE, Mapping

FILE = struct.Struct("<5Q")
MAPPING = struct.Struct("<3QI2HQ")
PIECE = struct.Struct("<4Q")
MEMORY = ("start_code", "end_code", "start_data", "end_data", "start_brk", "brk", "start_stack", *mappings.STRINGS)

ANONYMOUS, OF_FILE, OF_SHARED_FILE, STACK = range(4)
WIPED_ON_FORK = 1
STACK_SIZE = 8 << 20
STACK_GUARD = 1 << 20
ANONYMOUS_NAMES = ("", "[heap]", "[stack]", "[anon:")
OF_KERNEL = ("[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]")
CHUNK = 1 << 20
FREE = 256 << 20
"""Bytes that a checkpoint leaves free on its disk."""


class UnfitError(Exception):
    """Why a process cannot be kept."""


@dataclass
class Image:
    """The tables. What is not known before the process waits is asked for by `take`."""

    files: dict[str, os.stat_result] = field(default_factory=dict)
    mappings: list[tuple[Mapping, int, int]] = field(default_factory=list)
    """And of which kind each is, and what was asked for it."""
    pieces: list[tuple[int, int, int]] = field(default_factory=list)
    """From and to, and the mapping's index."""
    limits: dict[str, int] = field(default_factory=dict)
    vdso: Mapping | None = None

    @classmethod
    def take(cls, pid: int) -> Image:
        """Raises UnfitError, and OSError where the kernel shows less of the process than is needed."""
        image = cls(limits=mappings.memory_limits(pid))
        image.limits["brk"] = image.limits["start_brk"]
        wiped = mappings.wiped_on_fork(pid)
        pagemap = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        try:
            for mapping in mappings.mappings(pid):
                image._add(mapping, pagemap, mapping.start in wiped)
        finally:
            os.close(pagemap)
        return image

    def _add(self, mapping: Mapping, pagemap: int, is_wiped: bool) -> None:
        if mapping.name in OF_KERNEL:
            if mapping.name == "[vdso]":
                self.vdso = mapping
            return
        kind = self._kind(mapping)
        if mapping.name == "[heap]":
            self.limits["brk"] = mapping.end
        if kind == STACK:
            mapping = self._whole_stack(mapping)
        self.mappings.append((mapping, kind, WIPED_ON_FORK if is_wiped else 0))
        if kind != OF_SHARED_FILE and not is_wiped:
            index = len(self.mappings) - 1
            self.pieces += [(start, end, index) for start, end in mappings.own_pages(pagemap, mapping)]

    def _whole_stack(self, top: Mapping) -> Mapping:
        """As far as the kernel would let it grow, and what it would leave free below."""
        before = max((other.end for other, _, _ in self.mappings), default=0)
        lowest = min(top.start, max(before + STACK_GUARD, top.end - STACK_SIZE))
        guard = Mapping(lowest - STACK_GUARD, lowest, "---p", 0, 0, "")
        self.mappings.append((guard, ANONYMOUS, 0))
        return replace(top, start=lowest)

    def _kind(self, mapping: Mapping) -> int:
        if not mapping.is_file:
            if mapping.is_shared or not any(
                mapping.name == name or (name.endswith(":") and mapping.name.startswith(name))
                for name in ANONYMOUS_NAMES
            ):
                raise UnfitError(f"memory of {mapping.name or 'several processes'} is mapped")
            return STACK if mapping.name == "[stack]" else ANONYMOUS
        if mapping.name not in self.files:
            self.files[mapping.name] = status_of(mapping)
        if not mapping.is_shared:
            return OF_FILE
        if "w" in mapping.permissions:
            raise UnfitError(f"{mapping.name} is mapped for several processes")
        return OF_SHARED_FILE

    @property
    def size(self) -> int:
        return sum(end - start for start, end, _ in self.pieces)


def status_of(mapping: Mapping) -> os.stat_result:
    try:
        status = Path(mapping.name).stat()
    except OSError as error:
        raise UnfitError(f"{mapping.name} is mapped and cannot be opened") from error
    # A deleted one's name has a suffix, one with odd letters is written with escapes: neither is found.
    if status.st_ino != mapping.inode or not Path(mapping.name).is_file():
        raise UnfitError(f"{mapping.name} is mapped and is another file now")
    return status


class Layout:
    """Where in the file everything is."""

    def __init__(self, image: Image, facts: bytes, resume: int, read: Callable[[int, int], bytes]) -> None:
        """`read` takes an address of the process's, and how much."""
        tables = bytearray(HEADER.size)

        def place(content: bytes) -> int:
            tables.extend(bytes(-len(tables) % 8))
            tables.extend(content)
            return len(tables) - len(content)

        facts_at = place(facts)
        names = list(image.files)
        paths = {name: place(os.fsencode(name) + b"\0") for name in names}
        files = [FILE.pack(paths[name], *identity(status)) for name, status in image.files.items()]
        files_at = place(b"".join(files))
        entries = []
        for mapping, kind, advice in image.mappings:
            of_file = names.index(mapping.name) if kind in (OF_FILE, OF_SHARED_FILE) else 0
            offset = mapping.offset if kind in (OF_FILE, OF_SHARED_FILE) else 0
            entries.append(MAPPING.pack(mapping.start, mapping.end, offset, mapping.protection, kind, advice, of_file))
        mappings_at = place(b"".join(entries))
        vdso = image.vdso
        vdso_at = place(read(vdso.start, vdso.end - vdso.start)) if vdso else 0
        pieces_at = place(bytes(len(image.pieces) * PIECE.size))
        tables.extend(bytes(-len(tables) % PAGE))
        self.size = len(tables)
        for number, (start, end, index) in enumerate(image.pieces):
            PIECE.pack_into(tables, pieces_at + number * PIECE.size, start, end - start, self.size, index)
            self.size += end - start
        HEADER.pack_into(
            tables,
            0,
            *(MAGIC, self.size, len(tables), facts_at, len(facts), files_at, len(names), mappings_at, len(entries)),
            *(pieces_at, len(image.pieces), vdso_at, vdso.start if vdso else 0, vdso.end - vdso.start if vdso else 0),
            *(resume, *(image.limits[name] for name in MEMORY)),
        )
        self.tables = bytes(tables)


def identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """By what a file is known to be the same."""
    return status.st_size, status.st_ino, status.st_mtime_ns // 10**9, status.st_mtime_ns % 10**9


def write(pid: int, facts: bytes, resume: int, path: Path) -> int:
    """Its size. Raises UnfitError and OSError; what was written so far is then not there."""
    image = Image.take(pid)
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:

        def read(address: int, size: int) -> bytes:
            content = os.pread(memory.fileno(), size, address)
            if len(content) != size:
                raise UnfitError(f"memory at {address:x} cannot be read")
            return content

        layout = Layout(image, facts, resume, read)
        path.unlink(missing_ok=True)
        check_room(path.parent, layout.size)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(layout.tables)
                for start, end, _ in image.pieces:
                    for address in range(start, end, CHUNK):
                        file.write(read(address, min(CHUNK, end - address)))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return layout.size


def check_room(folder: Path, size: int) -> None:
    disk = os.statvfs(folder)
    if disk.f_bavail * disk.f_frsize < size + FREE:
        raise UnfitError(f"{folder} has no room for {size >> 20} MiB and {FREE >> 20} MiB besides")
