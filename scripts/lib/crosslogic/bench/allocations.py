"""Counts what a program allocates, from outside and while it runs."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class AllocationCounter:
    """For a program that is started with `environment`; needs a C compiler, as whoever builds the agent has one."""

    def __init__(self, folder: Path) -> None:
        library = folder / "allocations.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, SOURCE], check=True)
        self.file = folder / "allocations"
        self.file.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "ALLOCATION_COUNT": str(self.file)}

    @property
    def count(self) -> int:
        return int(struct.unpack("=Q", self.file.read_bytes())[0])
