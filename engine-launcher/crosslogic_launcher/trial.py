"""A start of the installed vLLM that serves nobody: what it imports is what the first real start will preload."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from crosslogic_launcher import tiny_model
from crosslogic_launcher.modules import COMMAND, ENGINE, ModuleList
from crosslogic_launcher.parent import die_with_parent
from crosslogic_launcher.report import say

STARTS_WITHIN = 300.0
ENDS_WITHIN = 60.0
LOOK_EVERY = 0.1


class Trial:
    """In folders of its own: nothing of it is found by a later start but the list it was made for."""

    def __init__(self, launcher: Path, vllm: Path, version: str, folder: Path) -> None:
        self.launcher = launcher
        self.vllm = vllm
        self.version = version
        self.folder = folder
        self.model = folder / "model"

    def record(self, into: Path) -> None:
        """The second start is made with the list of the first: it finds what may not be preloaded.

        Raises OSError where the list cannot be written, and ValueError where there is nothing to write.
        """
        tiny_model.write(self.model)
        if self.start():
            self.start()
        modules = ModuleList(self.folder / "state", self.version)
        modules.load()
        if modules.is_empty:
            # A build for GPUs on a machine that has none: its engine's processes import what the command does.
            modules.names[ENGINE] = list(modules.names[COMMAND])
        if modules.is_empty:
            raise ValueError("it imported nothing")
        modules.write(into)
        # The engine's user is another one than who installs.
        into.chmod(0o644)
        say(f"{len(modules.names[ENGINE])} modules for engines, {len(modules.names[COMMAND])} for the command")

    def start(self) -> bool:
        """Whether it came to serve."""
        began = time.monotonic()
        port = free_port()
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self.command(port),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - there is one thread
            )
        try:
            while process.poll() is None and time.monotonic() - began < STARTS_WITHIN:
                if serves(port):
                    say(f"it serves after {time.monotonic() - began:.1f} s")
                    return True
                time.sleep(LOOK_EVERY)
            say(f"it does not serve on this machine: {self.last_words()}")
            return False
        finally:
            end(process)

    def command(self, port: int) -> list[str]:
        state = str(self.folder / "state")
        return [
            *(sys.executable, str(self.launcher), "preload", "--vllm", str(self.vllm), "--state", state, "--"),
            *("serve", str(self.model), "--load-format", "runai_streamer", "--enforce-eager"),
            *("--max-model-len", str(tiny_model.POSITIONS), "--max-num-seqs", "2", "--gpu-memory-utilization", "0.3"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ]

    def environment(self) -> dict[str, str]:
        own = {
            "HOME": str(self.folder),
            "VLLM_CACHE_ROOT": str(self.folder / "cache"),
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
            # Run by root, it would leave bytecode in the launcher's own folder.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        kept = ("PATH", "LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
        return {name: os.environ[name] for name in kept if name in os.environ} | own

    def last_words(self) -> str:
        lines = (self.folder / "log").read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def record(launcher: Path, vllm: Path, version: str, into: Path) -> int:
    # Whoever installs may be stopped: then through what ends the start, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="crosslogic-trial-") as folder:
        try:
            Trial(launcher, vllm, version, Path(folder)).record(into)
        except (OSError, ValueError) as error:
            say(f"no modules are recorded: {error}", descriptor=2)
            return 1
    return 0


def serves(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def end(process: subprocess.Popen[bytes]) -> None:
    """And whatever it leaves of its session's group."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ENDS_WITHIN)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
