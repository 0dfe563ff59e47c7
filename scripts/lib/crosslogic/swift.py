"""Building what Swift builds. Says nothing and takes no time where nothing has changed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
from pathlib import Path

from crosslogic import install
from crosslogic.console import Console, Stopwatch
from crosslogic.paths import FLEET_SIMULATOR as FLEET_SIMULATOR_SOURCES
from crosslogic.paths import LOG_BENCH as LOG_BENCH_SOURCES
from crosslogic.paths import ROOT
from crosslogic.paths import SIMULATED_VLLM as SIMULATED_VLLM_SOURCES

AGENT = "crosslogic-node-agent"
CONTROL_PLANE = "crosslogic-control-plane"
SIMULATED_VLLM = "simulated-vllm"

RELEASE = ["swift", "build", "-c", "release", "--static-swift-stdlib"]
SOURCE_SUFFIXES = {".swift", ".c", ".h", ".modulemap"}
STEP = re.compile(r"^\[(\d+)/(\d+)\]")


class BuildError(Exception):
    """What the compiler said."""


def release_binaries(console: Console) -> Path:
    """The folder with the agent, the control plane and the simulated engine, built for release."""
    folder = ROOT / ".build" / "release"
    stamp = ROOT / ".build" / "release.stamp"
    stamp.parent.mkdir(exist_ok=True)
    # Tests ask for this side by side: one builds, the others find it done.
    with (ROOT / ".build" / "release.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sources = sources_key()
        if stamp.exists() and stamp.read_text() == sources + resolved_key() and (folder / AGENT).exists():
            return folder
        install.ensure_build_packages(console)
        # Product by product: all at once would also build what only the tests depend on.
        for product in (AGENT, CONTROL_PLANE, SIMULATED_VLLM):
            build([*RELEASE, "--product", product], f"building {product} for release", console)
        # The sources as they were before the build, the versions as the build has resolved them.
        stamp.write_text(sources + resolved_key())
    return folder


def release_product(product: str, console: Console) -> Path:
    """A binary for the release that is no part of it, such as a measuring instrument."""
    binary = ROOT / ".build" / "release" / product
    stamp = ROOT / ".build" / f"{product}.stamp"
    stamp.parent.mkdir(exist_ok=True)
    with (ROOT / ".build" / "release.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sources = sources_key()
        if not stamp.exists() or stamp.read_text() != sources + resolved_key() or not binary.exists():
            install.ensure_build_packages(console)
            build([*RELEASE, "--product", product], f"building {product} for release", console)
            stamp.write_text(sources + resolved_key())
    return binary


def sources_key() -> str:
    """Changes when a file that the release binaries are made of is written, added or removed."""
    digest = hashlib.sha256()
    files = [ROOT / "Package.swift"]
    for folder in (ROOT / "Sources", SIMULATED_VLLM_SOURCES, LOG_BENCH_SOURCES, FLEET_SIMULATOR_SOURCES):
        files += sorted(file for file in folder.rglob("*") if file.suffix in SOURCE_SUFFIXES)
    for file in files:
        status = file.stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def resolved_key() -> str:
    """By content: every resolution writes the file anew, mostly as it was."""
    resolved = ROOT / "Package.resolved"
    return hashlib.sha256(resolved.read_bytes() if resolved.exists() else b"").hexdigest()


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
