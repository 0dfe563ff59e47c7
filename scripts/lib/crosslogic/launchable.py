"""A virtual environment that the engine launcher can work with, around a stand-in for the package `vllm`."""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from crosslogic.paths import ROOT

LAUNCHER = ROOT / "engine-launcher"
PACKAGE = Path(__file__).resolve().parent / "standin_vllm" / "vllm"
SYSTEM_PYTHON = Path("/usr/bin/python3")
"""A machine of the tests has it too, and every user may run it."""
VERSION = "0.32.0+cpu"
NATIVE = LAUNCHER / "native"
PROGRAMS = ("checkpoint.so", "restore")


@functools.cache
def launcher() -> Path:
    """Its folder, and in it what keeps and restores checkpoints. Without a compiler, or on another processor than they
    are written for, it starts engines without them."""
    (ROOT / ".build").mkdir(exist_ok=True)
    # Programs that are written anew would be other ones to a start beside this: it would find no checkpoint that fits.
    with (ROOT / ".build" / "launcher.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_outdated() and any(map(shutil.which, [os.environ.get("CC", "cc"), "clang"])):
            built = subprocess.run([NATIVE / "build", NATIVE], capture_output=True, text=True, check=False)
            if built.returncode != 0:
                raise RuntimeError(f"{NATIVE}/build ended with exit code {built.returncode}:\n{built.stderr}")
    return LAUNCHER


def is_outdated() -> bool:
    try:
        built = min((NATIVE / name).stat().st_mtime_ns for name in PROGRAMS)
    except FileNotFoundError:
        return True
    return any(path.stat().st_mtime_ns > built for path in NATIVE.iterdir() if path.name not in PROGRAMS)


def make_environment(folder: Path, python: Path = SYSTEM_PYTHON, seen_at: Path | None = None) -> Path:
    """The path of its `vllm`. `seen_at`: where the folder will be."""
    python = python.resolve() if python.exists() else Path(sys.executable).resolve()
    packages = folder / "lib" / python.name / "site-packages"
    shutil.copytree(PACKAGE, packages / "vllm", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    information = packages / f"vllm-{VERSION}.dist-info"
    information.mkdir(exist_ok=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}\n")
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    interpreter = folder / "bin" / "python"
    interpreter.unlink(missing_ok=True)
    interpreter.symlink_to(python)
    script = folder / "bin" / "vllm"
    script.write_text(
        f"#!{seen_at or folder}/bin/python\nimport sys\nfrom vllm.entrypoints.cli.main import main\n"
        "if __name__ == '__main__':\n    sys.exit(main())\n"
    )
    script.chmod(0o755)
    return script


def record_at_installation(vllm: Path) -> None:
    """Leaves in an installed vLLM's environment what `crosslogic-install-engine` does; a minute, once."""
    listed = vllm.parent.parent / "crosslogic-modules.json"
    if not listed.exists():
        command = [vllm.with_name("python"), LAUNCHER, "record", "--vllm", vllm, "--list", listed]
        subprocess.run(command, check=True, capture_output=True, timeout=600)


def record(vllm: Path, state: Path) -> None:
    """Leaves what a node has after its first start, and what one has before that."""
    shutil.copytree(recorded().name, state, dirs_exist_ok=True)
    listed = vllm.parent.parent / "crosslogic-modules.json"
    listed.write_bytes(next(state.glob("modules-*.json")).read_bytes())


@functools.cache
def recorded() -> tempfile.TemporaryDirectory[str]:
    """The launcher's state after two starts: names of modules, the same wherever the environment lies."""
    state = tempfile.TemporaryDirectory(prefix="crosslogic-recorded-")
    with tempfile.TemporaryDirectory(prefix="crosslogic-recording-") as folder:
        vllm = make_environment(Path(folder) / "engine")
        command = [vllm.with_name("python"), LAUNCHER, "preload", "--vllm", vllm, "--state", state.name, "--", "report"]
        # The second one sorts what the first has written down.
        for _ in range(2):
            subprocess.run(command, check=True, capture_output=True, timeout=60, env={"PATH": "/usr/bin:/bin"})
    return state
