"""Where an engine is on this machine: one that is installed for the node, or the one this checkout installs."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from crosslogic import install
from crosslogic.console import Console
from crosslogic.operator.outcome import Exit, OperatorError

INSTALLED = [Path("/opt/crosslogic/engine"), Path("/opt/vllm")]


@dataclass(frozen=True)
class EnginePlace:
    folder: Path
    packages: Path
    is_ours: bool
    """The CPU build of this checkout."""

    @property
    def vllm(self) -> Path | None:
        path = self.folder / "bin" / "vllm"
        return path if path.exists() else None

    def python_for_loading(self) -> tuple[Path, list[Path]]:
        """Which Python loads, and what it is lent: with the same Python version, ours, which has s3fs too."""
        if self.packages.parent.name == f"python{sys.version_info.major}.{sys.version_info.minor}":
            return Path(sys.executable), [self.packages]
        return self.folder / "bin" / "python", []


def find(wanted: Path | None, console: Console) -> EnginePlace:
    """`wanted` is a virtual environment. Without it the first that is there; installs one where there is none."""
    if wanted:
        return place(wanted, is_ours=False)
    configured = os.environ.get("CROSSLOGIC_ENGINE")
    candidates = [Path(configured).parent.parent] if configured else []
    candidates += INSTALLED
    if on_path := shutil.which("vllm"):
        candidates.append(Path(on_path).resolve().parent.parent)
    for candidate in candidates:
        if (candidate / "bin" / "python").exists():
            return place(candidate, is_ours=False)
    try:
        return place(install.ensure_engine(console), is_ours=True)
    except install.InstallError as error:
        raise OperatorError(
            Exit.UNAVAILABLE, str(error), "Name an engine's virtual environment with --engine."
        ) from error


def place(folder: Path, is_ours: bool) -> EnginePlace:
    packages = sorted(folder.glob("lib/python3.*/site-packages"))
    if not packages:
        raise OperatorError(Exit.NOT_FOUND, f"{folder} is no virtual environment")
    return EnginePlace(folder.absolute(), packages[-1], is_ours)
