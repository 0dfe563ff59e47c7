"""Random secrets, and the search for where they turned up."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from crosslogic import procfs


@dataclass
class Canaries:
    """Name to value of everything that must be seen nowhere but where it is used."""

    values: dict[str, str] = field(default_factory=dict)

    def new(self, name: str, length: int = 32) -> str:
        self.values[name] = secrets.token_hex(length // 2)
        return self.values[name]

    def add(self, name: str, value: str) -> str:
        self.values[name] = value
        return value

    def found_in(self, where: str, text: str) -> list[str]:
        return [f"{name} in {where}" for name, value in self.values.items() if value in text]

    def found_in_files(self, folder: Path, allowed: set[Path]) -> list[str]:
        """Every regular file below, except the ones whose job it is to hold them."""
        hits = []
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path not in allowed:
                hits += self.found_in(str(path.relative_to(folder)), path.read_text(errors="replace"))
        return hits

    def found_in_command_lines(self) -> list[str]:
        """/proc/PID/cmdline is readable by everyone."""
        return [
            hit for pid, command in procfs.command_lines().items() for hit in self.found_in(f"argv of {pid}", command)
        ]
