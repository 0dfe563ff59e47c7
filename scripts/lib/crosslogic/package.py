"""Builds the Debian package of the node agent from this checkout: .build/package/crosslogic-node-agent_*.deb.

Build on the oldest release that it is for: the package needs the C library it was linked with, or a later one.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from crosslogic import install, swift
from crosslogic.console import Console, Stopwatch
from crosslogic.paths import ROOT

BUILD_TOOLS = ["debhelper", "dpkg-dev"]
MEGABYTE = 1_000_000
LARGEST = 15 * MEGABYTE

# The package alone: what is in this folder is uploaded to nodes.
FOLDER = ROOT / ".build" / "package"
WORKSHOP = ROOT / ".build" / "packaging"
PARTS = ["docs", "engine-launcher", "packaging", "systemd", "scripts/install-units", "scripts/requirements"]


class PackageError(Exception):
    """What failed, and what to do about it."""


def version() -> str:
    """The package's changelog has it."""
    first = (ROOT / "packaging" / "debian" / "changelog").read_text().splitlines()[0]
    if found := re.search(r"\((.+)\)", first):
        return found[1]
    raise PackageError(f"packaging/debian/changelog begins with no version: {first}")


def build(console: Console) -> Path:
    """The package, in `FOLDER`. Made anew when something it is made of has changed."""
    agent = swift.release_binaries(console) / swift.AGENT
    package = FOLDER / f"crosslogic-node-agent_{version()}_{architecture()}.deb"
    made_of = WORKSHOP / "made-of"
    # Tests ask for it side by side: one builds, the others find it done.
    with install.install_lock(WORKSHOP):
        key = contents_key(agent)
        if not (package.exists() and made_of.exists() and made_of.read_text() == key):
            make(agent, package, console)
            made_of.write_text(key)
    return package


def make(agent: Path, package: Path, console: Console) -> None:
    says = subprocess.run([agent, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if says != version():
        raise PackageError(f"the agent says it is {says}, packaging/debian/changelog says {version()}: make them agree")
    install.ensure_system_packages(BUILD_TOOLS, console)
    watch = Stopwatch()
    console.stage("building the Debian package")
    tree = lay_out(agent)
    # --unsigned: whoever publishes it signs the archive.
    command = ["dpkg-buildpackage", "--build=binary", "--unsigned-changes", "--unsigned-buildinfo"]
    result = subprocess.run(command, check=False, cwd=tree, capture_output=True, text=True)
    if result.returncode != 0:
        raise PackageError(f"{' '.join(command)} in {tree}:\n{(result.stdout + result.stderr)[-4000:]}")
    made = WORKSHOP / package.name
    size = made.stat().st_size
    if size > LARGEST:
        raise PackageError(f"{made} has {size / MEGABYTE:.1f} MB, {LARGEST / MEGABYTE:.0f} MB are the limit")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    made.rename(package)
    console.line(f"{package.name}: {size / MEGABYTE:.1f} MB ({watch.seconds:.0f} s)")


def architecture() -> str:
    return subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True).stdout.strip()


def contents_key(agent: Path) -> str:
    """By content: files of a fresh clone have another time."""
    digest = hashlib.sha256()
    files = [agent]
    for part in PARTS:
        files += sorted(file for file in [ROOT / part, *(ROOT / part).rglob("*")] if file.is_file())
    for file in files:
        digest.update(f"{file.relative_to(ROOT)} {file.stat().st_mode:o} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def lay_out(agent: Path) -> Path:
    """A Debian source tree: what the package is made of, the program included, and `debian/` where it must be."""
    shutil.rmtree(WORKSHOP, ignore_errors=True)
    tree = WORKSHOP / "tree"
    tree.mkdir(parents=True)
    for part in PARTS:
        source, target = ROOT / part, tree / part
        target.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    (tree / "packaging" / "debian").rename(tree / "debian")
    shutil.copy(agent, tree / swift.AGENT)
    return tree


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/package", description=__doc__)
    parser.parse_args(arguments)
    console = Console()
    try:
        print(build(console))
    except (PackageError, swift.BuildError, install.InstallError) as error:
        console.line(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
