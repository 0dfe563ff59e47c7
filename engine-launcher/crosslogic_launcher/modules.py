"""The modules that a start of an installed vLLM imports, as earlier starts have recorded them."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

FORMAT = 1
COMMAND, ENGINE = "command", "engine"
"""The process of `vllm serve` itself; those it starts."""

NEVER = ("__", "crosslogic_launcher", "transformers_modules")
"""Prefixes: no modules, ours, and code that came with a model."""
ABSENT = "-"
"""Before a name in a record: there is no such module after all."""
LIMIT = 20_000
"""Of names in a list: more than twice of what vLLM has."""
INSTALLED = "crosslogic-modules.json"
"""In the virtual environment: the list that a start at its installation has left, for the first start on a node."""


class ModuleList:
    def __init__(self, state: Path, version: str) -> None:
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        self.version = version
        self.path = state / f"modules-{version}-python{python}.json"
        self.records = state / f"recorded-{version}-python{python}"
        self.names: dict[str, list[str]] = {COMMAND: [], ENGINE: []}
        self.left_out: list[str] = []
        """Modules after which a process may not be forked, or may not wait; and those whose import hangs."""

    @property
    def is_empty(self) -> bool:
        return not self.names[ENGINE]

    def load(self) -> None:
        """With what starts since the last time have found. Raises OSError where the folder cannot be written."""
        self.read()
        if self._merge():
            self.save()

    def read(self) -> None:
        if not self._read(self.path):
            # Where neither is there, the next start records one.
            self._read(Path(sys.prefix) / INSTALLED)

    def _read(self, path: Path) -> bool:
        """Whether it is a list of this vLLM's."""
        try:
            known = json.loads(path.read_text())
            if (known["format"], known.get("vllm", self.version)) != (FORMAT, self.version):
                return False
            names = {role: [str(name) for name in known[role]] for role in (COMMAND, ENGINE)}
            self.names, self.left_out = names, [str(name) for name in known["left_out"]]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return True

    def _merge(self) -> bool:
        try:
            records = sorted(self.records.iterdir(), key=lambda path: path.stat().st_mtime)
        except OSError:
            return False
        for record in records:
            role = record.name.partition(".")[0]
            if role in self.names:
                self._add(role, record.read_text(errors="replace").splitlines())
            record.unlink(missing_ok=True)
        return bool(records)

    def _add(self, role: str, found: list[str]) -> None:
        there: dict[str, None] = {}
        for line in found:
            if line.startswith(ABSENT):
                there.pop(line.removeprefix(ABSENT), None)
            elif line and not line.startswith(NEVER):
                there[line] = None
        names = dict.fromkeys(self.names[role]) | there
        self.names[role] = list(names)[:LIMIT]

    def leave_out(self, name: str) -> None:
        # The command and the fork server may both have one at the same time.
        self.read()
        if name not in self.left_out:
            self.left_out.append(name)
        self.save()

    def to_preload(self, role: str) -> list[str]:
        left_out = tuple(name + "." for name in self.left_out)
        return [name for name in self.names[role] if name not in self.left_out and not name.startswith(left_out)]

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.write(self.path)

    def write(self, path: Path) -> None:
        """As a whole or not at all, for its owner alone. Raises OSError."""
        content = {"format": FORMAT, "vllm": self.version, **self.names, "left_out": self.left_out}
        descriptor, temporary = tempfile.mkstemp(prefix=".modules-", dir=path.parent)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)
        Path(temporary).replace(path)
