"""A throw-away machine with a real systemd, booted in well under a second from this machine's own root.

It has namespaces of its own for mounts, processes, host name, IPC and cgroups, and shares the network: what listens on
loopback here is reached from there. Everything it writes goes into memory and is gone with it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from crosslogic.booted import Booted, CommandError, Ran
from crosslogic.paths import SCRIPTS
from crosslogic.waiting import wait_for

BOOT = SCRIPTS / "lib" / "boot-machine"


@dataclass(frozen=True)
class Bind:
    """A file or folder of this machine, seen inside."""

    source: Path
    target: Path | None = None
    writable: bool = False

    def __str__(self) -> str:
        return f"{self.source}:{self.target or self.source}:{'rw' if self.writable else 'ro'}"


@dataclass
class Machine(Booted):
    """A context. `layers` are folders copied over the root before the boot, such as what `install-units` made."""

    name: str
    layers: list[Path] = field(default_factory=list)
    binds: list[Bind] = field(default_factory=list)
    root: Path = Path("/")

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="crosslogic-machine-"))
        # One cgroup per machine: several run side by side.
        self.name = f"{self.name}-{self.folder.name.rpartition('-')[2]}".replace("_", "-").lower()
        self.boot_seconds = 0.0
        self._supervisor: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # --- The machine itself

    def boot(self, seconds: float = 60) -> None:
        if os.geteuid() != 0:
            raise CommandError("booting a machine needs root")
        (self.folder / "settings").write_text(self._settings())
        started = time.monotonic()
        with self.console.open("ab") as output:
            self._supervisor = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--", BOOT, "supervise", self.folder],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.wait_until_up(1, seconds)
        self.boot_seconds = time.monotonic() - started

    def wait_until_up(self, boots: int, seconds: float = 60) -> None:
        """Up is: multi-user.target is reached. Jobs may still run, such as that of an agent that waits for a model."""

        def is_listening() -> bool:
            count = len(self._read("boots").splitlines())
            return count >= boots and self.has_own_root and self.path("/run/systemd/private").exists()

        wait_for(f"{self.name} has booted", is_listening, seconds, self._why_gone)
        wait_for(f"{self.name} is up", lambda: self.is_active("multi-user.target"), seconds, self._why_gone)

    def reboot(self, seconds: float = 60) -> None:
        boots = len(self._read("boots").splitlines())
        self.run("systemctl", "reboot", check=False)
        self.wait_until_up(boots + 1, seconds)

    def power_off(self, seconds: float = 60) -> None:
        """As an operator does it: every stop job runs."""
        self.run("systemctl", "poweroff", check=False)
        wait_for(f"{self.name} is off", (self.folder / "exit").exists, seconds)

    def close(self) -> None:
        """Ends every process inside at once, and forgets the machine."""
        (self.folder / "stop").touch()
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(self.pid, signal.SIGKILL)
        if self._supervisor:
            try:
                self._supervisor.wait(10)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()
                self._supervisor.wait(5)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """Of its PID 1, as seen from here. Raises `ValueError` when it is not running."""
        return int(self._read("pid"))

    @property
    def is_running(self) -> bool:
        return self._read("pid") != ""

    @property
    def has_own_root(self) -> bool:
        """Before, its root is this host's, where another systemd may listen."""
        try:
            return self.is_running and not self.path("/").samefile("/")
        except OSError:
            return False

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    def pid_outside(self, pid: int) -> int:
        """The number, as seen from here, of a process that has this one inside."""
        namespace = Path(f"/proc/{self.pid}/ns/pid").readlink()
        for folder in Path("/proc").glob("[0-9]*"):
            # Any of them may end meanwhile.
            with contextlib.suppress(OSError):
                numbers = (folder / "status").read_text().partition("\nNSpid:")[2].splitlines()[0].split()
                if int(numbers[-1]) == pid and (folder / "ns" / "pid").readlink() == namespace:
                    return int(folder.name)
        raise CommandError(f"there is no process {pid} inside")

    # --- Inside

    def run(self, *command: str | Path, check: bool = True, seconds: float = 60, stdin: str = "") -> Ran:
        whole = [BOOT, "enter", str(self.pid), "timeout", str(seconds), *map(str, command)]
        result = subprocess.run(whole, check=False, input=stdin, capture_output=True, text=True, timeout=seconds + 10)
        if check and result.returncode != 0:
            raise CommandError(f"{shlex.join(map(str, command))}: {result.returncode}\n{result.stdout}{result.stderr}")
        return Ran(result.returncode, result.stdout, result.stderr)

    def path(self, inside: str | Path) -> Path:
        """A file of the machine, from here. Links with absolute targets lead out of it: read those inside."""
        return Path(f"/proc/{self.pid}/root{inside}")

    @property
    def changes(self) -> Path:
        """What has been written on the root: the overlay's upper layer, in the mount namespace of who mounted it."""
        assert self._supervisor is not None
        return Path(f"/proc/{self._supervisor.pid}/root{self.folder}/disk/upper")

    def read(self, inside: str | Path) -> str | None:
        path = self.path(inside)
        return path.read_text() if path.exists() else None

    def write(self, inside: str | Path, text: str) -> None:
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    # --- Details

    def _settings(self) -> str:
        def array(items: list[str]) -> str:
            return f"({' '.join(map(shlex.quote, items))})"

        return (
            f"name={shlex.quote(self.name)}\nlower={shlex.quote(str(self.root))}\nsize=50%\n"
            f"layers={array(list(map(str, self.layers)))}\nbinds={array(list(map(str, self.binds)))}\n"
        )

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text()
        except FileNotFoundError:
            return ""

    def _why_gone(self) -> str | None:
        if self._supervisor and self._supervisor.poll() is not None:
            return f"it could not be booted:\n{self._console_text()}"
        return None

    def _console_text(self) -> str:
        return "\n".join(self._read("console.log").splitlines()[-30:])
