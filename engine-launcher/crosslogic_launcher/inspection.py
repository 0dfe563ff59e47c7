"""vLLM looks at a model's class in a process of its own, so that what an import does to the GPU ends with that process.
On a node without a `modelinfos` cache that costs the imports of a whole engine; a fork of the fork server has them.

The registry's own code runs on both sides: only the `subprocess` that it sees is another.
"""

from __future__ import annotations

import importlib.util
import io
import multiprocessing
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

from crosslogic_launcher.report import say

REGISTRY = "vllm.model_executor.models.registry"
NAME = "ModelInspection"


def install() -> None:
    """For a registry that is there, or is imported later."""
    registry = sys.modules.get(REGISTRY)
    if registry:
        adopt(registry)
    else:
        sys.meta_path.insert(0, Finder())


class Finder:
    """Stands in `sys.meta_path` until the registry is looked for."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if name != REGISTRY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def execute_and_adopt(module: ModuleType) -> None:
                execute(module)
                adopt(module)

            spec.loader.exec_module = execute_and_adopt  # type: ignore[method-assign]
        return spec


def adopt(registry: Any) -> None:
    """A registry that is not as expected keeps its way: it costs seconds, nothing else."""
    if getattr(registry, "subprocess", None) is subprocess and callable(getattr(registry, "_run", None)):
        registry.subprocess = Subprocess(getattr(registry, "_SUBPROCESS_COMMAND", None))


class Subprocess:
    """The module `subprocess`, but for one command."""

    def __init__(self, command: list[str] | None) -> None:
        self.command = command

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def run(self, command: Any, *positional: Any, **options: Any) -> Any:
        content = options.get("input")
        if command == self.command and isinstance(content, bytes) and not positional:
            try:
                code = forked(content)
            except OSError as error:
                say(f"{NAME}: in a new process, because {error}")
            else:
                if code == 0:
                    return subprocess.CompletedProcess(command, 0, b"", b"")
                say(f"{NAME}: once more in a new process, because the forked one ended with {code}")
        return subprocess.run(command, *positional, **options)  # noqa: PLW1510 - as vLLM calls it


def forked(content: bytes) -> int | None:
    """How it ended. What it prints is of no use: one that fails is tried again as vLLM does it, and tells then."""
    process = multiprocessing.get_context("spawn").Process(target=answer, args=(content,), name=NAME)
    process.start()
    process.join()
    return process.exitcode


def answer(content: bytes) -> None:
    """In the forked process, with what the registry's own command would have as its standard input."""
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.stdin = SimpleNamespace(buffer=io.BytesIO(content))  # type: ignore[assignment]
    registry: Any = importlib.import_module(REGISTRY)
    registry._run()
