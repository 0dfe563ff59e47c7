"""Records which modules a process imports, in order."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from crosslogic_launcher.modules import ABSENT, ENGINE

FOLDER_VARIABLE = "CROSSLOGIC_RECORD_MODULES"
"""How the processes that a recorded start spawns know of it."""


class Recorder:
    """Stands first in `sys.meta_path` and finds nothing, so that it hears each name before anyone looks for it."""

    def __init__(self, folder: Path, role: str) -> None:
        self.folder = folder
        self.role = role
        self.descriptor = -1
        self.pid = 0
        self.previous = ""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """Takes the name before this one back where it has turned out to be no module: much is only looked for."""
        try:
            if self.pid != os.getpid():
                self.folder.mkdir(parents=True, exist_ok=True)
                self.pid = os.getpid()
                path = self.folder / f"{self.role}.{self.pid}"
                self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                self.previous = ""
            taken_back = f"{ABSENT}{self.previous}\n" if self.previous and self.previous not in sys.modules else ""
            # At once: processes of an engine end by SIGKILL.
            os.write(self.descriptor, f"{taken_back}{name}\n".encode())
            self.previous = name
        except OSError:
            # Without a place for records the next start is as slow as this one, no worse.
            stop()


def start(folder: Path, role: str) -> None:
    stop()
    sys.meta_path.insert(0, Recorder(folder, role))


def stop() -> None:
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Recorder)]


def resume() -> None:
    """In a process that a recorded start has spawned."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        start(Path(folder), ENGINE)
