"""Root file systems of other Debian releases, to boot machines from. Made once each, from a Debian mirror."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from crosslogic import install
from crosslogic.console import Console, Stopwatch
from crosslogic.paths import cache_root

MIRROR = "http://deb.debian.org/debian"
# What a node has anyway, and what our package depends on.
PACKAGES = ["ca-certificates", "dbus", "libstdc++6", "python3", "systemd-sysv"]
CURL = {"bookworm": "libcurl4"}
LATER_CURL = "libcurl4t64"
# What a virtual machine needs beside: the kernel of Debian's images for clouds; and polkit, without which logind grants
# the agent no lock.
# debootstrap does not find by itself who is the `logind` that polkitd depends on.
MACHINE_PACKAGES = ["linux-image-cloud-amd64", "libpam-systemd", "polkitd", "udev"]


class RootError(Exception):
    """What failed, and what to do about it."""


def ensure_root(release: str, console: Console) -> Path:
    """The folder with a minimal `release` (`trixie`, `sid`) that runs systemd; 300 MB."""
    return ensure_folder(release, release, [], console)


def ensure_machine_root(release: str, console: Console) -> Path:
    """The same for a virtual machine; 490 MB. The kernel is in its `boot`."""
    return ensure_folder(f"{release}-machine", release, MACHINE_PACKAGES, console)


def ensure_folder(name: str, release: str, more: list[str], console: Console) -> Path:
    folder = cache_root() / "roots" / name
    with install.install_lock(folder):
        if not folder.exists():
            make_root(release, [*PACKAGES, CURL.get(release, LATER_CURL), *more], folder, console)
    return folder


def make_root(release: str, packages: list[str], folder: Path, console: Console) -> None:
    install.ensure_system_packages(["debootstrap"], console)
    watch = Stopwatch()
    console.stage(f"making a Debian {release} (once)")
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    mirror = os.environ.get("CROSSLOGIC_DEBIAN_MIRROR") or MIRROR
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", release, unfinished, mirror]
    log = install.log_file(f"debootstrap-{folder.name}")
    with log.open("w") as output:
        code = subprocess.run(list(map(str, command)), check=False, stdout=output, stderr=output).returncode
    if code != 0:
        raise RootError(f"no Debian {release} from {mirror} (CROSSLOGIC_DEBIAN_MIRROR):\n{install.tail(log)}")
    shutil.rmtree(unfinished / "var/cache/apt/archives", ignore_errors=True)
    unfinished.rename(folder)
    console.line(f"made a Debian {release} ({watch.seconds:.0f} s)")
