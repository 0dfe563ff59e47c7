"""A machine on which a systemd of its own runs, as whoever tests it sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """What a command inside said."""

    code: int
    out: str
    err: str


class CommandError(Exception):
    pass


class Booted(ABC):
    name: str

    @abstractmethod
    def run(self, *command: str | Path, check: bool = True, seconds: float = 60, stdin: str = "") -> Ran:
        """Runs a command inside, as root."""

    @abstractmethod
    def read(self, inside: str | Path) -> str | None:
        """A file of the machine; None where there is none."""

    @abstractmethod
    def write(self, inside: str | Path, text: str) -> None:
        """Folders that are not there yet are made."""

    def shell(self, script: str, check: bool = True, seconds: float = 60) -> Ran:
        return self.run("/bin/sh", "-c", script, check=check, seconds=seconds)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit; all of them when none is named."""
        names = [f"--property={name}" for name in properties]
        lines = self.run("systemctl", "show", unit, *names).out.splitlines()
        return dict(line.partition("=")[::2] for line in lines)

    def property(self, unit: str, name: str) -> str:
        return self.show(unit, name)[name]

    def is_active(self, unit: str) -> bool:
        return self.run("systemctl", "is-active", "--quiet", unit, check=False).code == 0

    def journal(self, *arguments: str) -> str:
        return self.run("journalctl", "--no-pager", *arguments, check=False).out
