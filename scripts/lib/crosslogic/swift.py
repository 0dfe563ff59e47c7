"""Building what Swift builds. Says nothing and takes no time where nothing has changed."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

from crosslogic import install
from crosslogic.console import Console, Stopwatch
from crosslogic.paths import ROOT

AGENT = "crosslogic-node-agent"
CONTROL_PLANE = "crosslogic-control-plane"
SIMULATED_VLLM = "simulated-vllm"

RELEASE = ["swift", "build", "-c", "release", "--static-swift-stdlib"]
STEP = re.compile(r"^\[(\d+)/(\d+)\]")


class BuildError(Exception):
    """What the compiler said."""


def release_binaries(console: Console) -> Path:
    """The folder with the agent, the control plane and the simulated engine, built for release."""
    folder = ROOT / ".build" / "release"
    stamp = ROOT / ".build" / "release.stamp"
    key = sources_key()
    if stamp.exists() and stamp.read_text() == key and (folder / AGENT).exists():
        return folder
    install.ensure_build_packages(console)
    # Product by product: all at once would also build what only the tests depend on.
    for product in (AGENT, CONTROL_PLANE, SIMULATED_VLLM):
        build([*RELEASE, "--product", product], f"building {product} for release", console)
    stamp.write_text(key)
    return folder


def sources_key() -> str:
    """Changes when any file a build reads is written, added or removed."""
    digest = hashlib.sha256()
    # Every resolution writes this one anew, mostly with the same content.
    resolved = ROOT / "Package.resolved"
    digest.update(resolved.read_bytes() if resolved.exists() else b"")
    files = [ROOT / "Package.swift"]
    for folder in ("Sources", "Tests"):
        files += sorted((ROOT / folder).rglob("*.[schmi]*"))
    for file in files:
        if file.is_file():
            status = file.stat()
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def build(command: list[str], what: str, console: Console) -> None:
    """Runs a build with its progress; raises with the compiler's messages."""
    watch = Stopwatch()
    console.stage(what)
    output = []
    environment = {**os.environ, "TERM": "dumb"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or []:
            output.append(line)
            if step := STEP.match(line):
                console.stage(what, f": {step[1]} of {step[2]}, {watch.seconds:.0f} s")
    # The exit code is the verdict: a layering error still prints "Build complete!".
    if process.returncode != 0:
        messages = [line for line in output if "error:" in line] or output[-20:]
        raise BuildError(f"`{' '.join(command)}` failed:\n{''.join(messages)}")
    console.line(f"{what}: done ({watch.seconds:.0f} s)")
