"""A node on which nothing of ours is installed yet, and the package."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

from crosslogic.booted import Ran
from crosslogic.engine import Engine
from crosslogic.machine import Bind
from crosslogic.stack import Stack
from node import ENGINE, SETTINGS, Node

PACKAGE = "crosslogic-node-agent"
SHELF = Path("/srv/packages")

# What installing and removing any package changes, and what a running machine writes.
NOT_OURS = re.compile(
    r"^(?!.*crosslogic)/(var/lib/(dpkg|systemd|apt)|var/cache/(man|ldconfig|debconf)"
    r"|var/log/(journal|alternatives\.log|apt|btmp|dpkg\.log|wtmp|lastlog)"
    r"|root|etc/(\.pwd\.lock|(passwd|group|g?shadow|sub[ug]id)-?$))"
)


class PackagedNode(Node):
    def __init__(self, stack: Stack, engine: Engine, plane_url: str, shelf: Path, root: Path = Path("/")) -> None:
        self.shelf = shelf
        super().__init__(stack, engine, plane_url)
        self.machine.root = root

    def layer(self, enabled: bool) -> Path:  # noqa: ARG002 - the package decides what is enabled
        layer = self.folder / "layer"
        layer.mkdir()
        return layer

    def binds(self, stack: Stack) -> list[Bind]:
        without_agent = [bind for bind in super().binds(stack) if bind.target != Path("/usr/bin/crosslogic-node-agent")]
        return [*without_agent, Bind(self.shelf, SHELF)]

    def install(self, package: Path, *options: str) -> Ran:
        return self.machine.run("dpkg", *options, "--install", SHELF / package.name, seconds=120)

    def remove(self) -> Ran:
        return self.machine.run("dpkg", "--remove", PACKAGE, seconds=120)

    def purge(self) -> Ran:
        return self.machine.run("dpkg", "--purge", PACKAGE, seconds=120)

    def version(self) -> str:
        return self.machine.run("dpkg-query", "-W", "-f", "${Version}", PACKAGE).out

    def processes(self) -> list[str]:
        """Of our users, engine included."""
        listing = self.machine.run("ps", "-eo", "user:32,pid,args", "--no-headers", check=False).out
        return [line for line in listing.splitlines() if line.split()[0] in {"crosslogic", "vllm"}]

    def accounts(self) -> dict[str, list[str]]:
        """The lines of each file of accounts."""
        files = ("passwd", "group", "shadow")
        return {name: self.machine.path(f"/etc/{name}").read_text().splitlines() for name in files}

    def written(self) -> set[str]:
        """What this machine has changed on its root, but for what is nobody's or in memory."""
        changes, root = self.machine.changes, self.machine.root
        found = set()
        for folder, folders, files in os.walk(changes):
            inside = "/" + str(Path(folder).relative_to(changes)).removeprefix(".")
            # A folder of the root's that something was written in is there too.
            new = [name for name in folders if not (root / inside[1:] / name).is_dir()]
            paths = [f"{inside.rstrip('/')}/{name}" for name in [*new, *files]]
            found |= {path for path in paths if not NOT_OURS.match(path)}
        return found

    def in_memory(self) -> list[str]:
        return sorted(
            str(Path("/") / path.relative_to(self.machine.path("/")))
            for place in ("/run", "/tmp")
            for path in self.machine.path(place).iterdir()
            if re.search("crosslogic|vllm", path.name)
        )

    def keep_journal(self) -> None:
        """Beside the other logs of the run, for whoever looks into a failure."""
        if self.machine.is_running:
            (self.folder / "journal.txt").write_text(self.machine.journal())

    def mode(self, path: Path) -> str:
        status = self.machine.path(path).stat()
        return f"{stat.S_IMODE(status.st_mode):o} {status.st_uid}:{status.st_gid}"

    def engine_invocation(self) -> tuple[int, str]:
        return self.main_pid(ENGINE), self.machine.property(ENGINE, "InvocationID")


def repacked(package: Path, version: str, settings: str = "") -> Path:
    """The same under another version, with more in its settings' file: the next release."""
    tree = package.parent / f"tree-{version}"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {version}", control.read_text()))
    if settings:
        conffile = tree / SETTINGS.relative_to("/")
        conffile.write_text(conffile.read_text() + settings)
    target = package.parent / f"{PACKAGE}_{version}.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, target], check=True, stdout=subprocess.DEVNULL
    )
    return target
