"""What is installed, as far as a look at folders tells."""

from __future__ import annotations

import contextlib
import os
import sysconfig
from pathlib import Path

VLLM = "vllm-"
INFORMATION = ".dist-info"

Installed = tuple[str, list[tuple[str, int, int]]]


def installation(vllm: Path) -> Installed:
    """What is another after an installation, be it to another place or over this one: of each distribution the folder
    that its installer makes anew.
    """
    facts = []
    for packages in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        with contextlib.suppress(OSError), os.scandir(packages) as entries:
            for entry in entries:
                if entry.name.endswith(INFORMATION):
                    status = entry.stat()
                    facts.append((entry.path, status.st_ino, status.st_mtime_ns))
    return str(vllm.resolve()), sorted(facts)


def version(installed: Installed) -> str | None:
    """Of vLLM, by its folder's name."""
    for path, _, _ in installed[1]:
        name = os.path.basename(path)  # noqa: PTH119 - a string, a hundred times
        if name.startswith(VLLM):
            return name.removeprefix(VLLM).removesuffix(INFORMATION)
    return None
