"""A virtual machine with a kernel of its own: for what no container shows, such as limits of memory and a power button.

It reaches what listens on loopback here at `GATEWAY`. Its processor is emulated: a second there is many here.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from crosslogic import install
from crosslogic.booted import Booted, CommandError, Ran
from crosslogic.console import Console
from crosslogic.part import Part
from crosslogic.ports import free_port
from crosslogic.waiting import wait_for

GATEWAY = "10.0.2.2"
"""This machine, as QEMU's user network shows it."""
ADDRESS = "10.0.2.15"
DOOR_PORT = 7
PROCESSORS = 3
"""One that the agent leaves to the engine alone, besides those it keeps to; no more, as each of them is emulated."""
DISK_SIZE = "2G"

# Emulated, unless told otherwise: that /dev/kvm is there does not mean that it can run a kernel, and where it cannot,
# as in some virtual machines, QEMU ends or hangs without a word.
ACCELERATOR = "CROSSLOGIC_VM_ACCELERATOR"

DOOR = {
    "etc/systemd/system/door.socket": f"[Socket]\nListenStream={DOOR_PORT}\nAccept=yes\nMaxConnections=64\n",
    # Whoever connects has a shell. Only this machine can.
    "etc/systemd/system/door@.service": (
        "[Service]\nExecStart=-/bin/sh\nStandardInput=socket\nStandardOutput=socket\nStandardError=journal\n"
    ),
    "etc/systemd/network/door.network": f"[Match]\nType=ether\n[Network]\nAddress={ADDRESS}/24\nGateway={GATEWAY}\n",
}
WANTED = {
    "sockets": "/etc/systemd/system/door.socket",
    "multi-user": "/usr/lib/systemd/system/systemd-networkd.service",
}
# What only costs time, which an emulated processor has little of.
MASKED = [
    "apt-daily.timer", "apt-daily-upgrade.timer", "dev-hugepages.mount", "dev-mqueue.mount", "dpkg-db-backup.timer",
    "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "getty.target", "modprobe@.service",
    "sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "systemd-hwdb-update.service", "systemd-timesyncd.service",
]  # fmt: skip


def make_disk(root: Path, layer: Path, image: Path, console: Console) -> None:
    """An image of the root file system with `layer` and our door on it."""
    install.ensure_system_packages(["e2fsprogs"], console)
    console.stage("making the disk of a virtual machine")
    with tempfile.TemporaryDirectory(prefix="crosslogic-disk-", dir=image.parent) as folder:
        subprocess.run(["cp", "-a", "--reflink=auto", f"{root}/.", folder], check=True)
        subprocess.run(["cp", "-a", "--no-preserve=ownership", f"{layer}/.", folder], check=True)
        lay_out_door(Path(folder))
        # The kernel does not come from there.
        shutil.rmtree(Path(folder) / "boot")
        command = ["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", folder, image, DISK_SIZE]
        subprocess.run(command, check=True)


def lay_out_door(root: Path) -> None:
    for name, text in DOOR.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    units = root / "etc/systemd/system"
    for target, unit in WANTED.items():
        wants = units / f"{target}.target.wants"
        wants.mkdir(exist_ok=True)
        (wants / Path(unit).name).symlink_to(unit)
    for unit in MASKED:
        (units / unit).symlink_to("/dev/null")
    # The kernel has mounted the root by then; waiting for its device would cost seconds.
    (root / "etc/fstab").write_text("")
    (root / "etc/hostname").write_text("node\n")
    (root / "etc/machine-id").unlink(missing_ok=True)


@dataclass
class VirtualMachine(Booted):
    """A context. `disk` is copied, `kernel` is a root file system with one in it."""

    name: str
    kernel: Path
    disk: Path
    megabytes: int = 1024

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="crosslogic-vm-"))
        self.boot_seconds = 0.0
        self._port = free_port()
        self._qemu: Part | None = None

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

    def boot(self, seconds: float = 600) -> None:
        install.ensure_system_packages(["qemu-system-x86"], Console())
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", self.disk, self.folder / "disk"], check=True)
        self._start(seconds)

    def _start(self, seconds: float) -> None:
        self._qemu = Part(self.name, self._command(), self.folder / "qemu.log", os.environ)
        self.wait_until_up(seconds)
        self.boot_seconds = time.monotonic() - self._qemu.started

    def wait_until_up(self, seconds: float) -> None:
        """multi-user.target is reached."""

        def is_up() -> bool:
            answer = self._ask("systemctl is-active multi-user.target", 20)
            return answer is not None and answer.strip() == "active"

        wait_for(f"{self.name} is up", is_up, seconds, self._why_gone)

    def reboot(self, seconds: float = 600) -> None:
        """QEMU ends where the machine would restart, and with a panic: begun anew, it has nothing left of before."""
        self.run("systemctl", "reboot", check=False)
        self.wait_until_off(seconds)
        self._start(seconds)

    def press_power_button(self) -> None:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.folder / "monitor"))
            monitor.settimeout(10)
            with monitor.makefile("rw") as lines:
                lines.readline()
                for command in ("qmp_capabilities", "system_powerdown"):
                    lines.write(json.dumps({"execute": command}))
                    lines.flush()
                    lines.readline()

    def wait_until_off(self, seconds: float = 300) -> None:
        wait_for(f"{self.name} is off", lambda: self.is_off, seconds)

    @property
    def is_off(self) -> bool:
        return self._qemu is None or self._qemu.has_exited

    def close(self) -> None:
        if self._qemu:
            self._qemu.send(signal.SIGKILL)
            self._qemu.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- Inside

    def run(self, *command: str | Path, check: bool = True, seconds: float = 120, stdin: str = "") -> Ran:
        words = shlex.join(map(str, command))
        given = base64.b64encode(stdin.encode()).decode()
        answer = self._ask(
            f"out=$(mktemp -p /run) err=$(mktemp -p /run)\n"
            f'echo {given} | base64 -d | timeout {seconds} {words} >"$out" 2>"$err"\n'
            f'printf "%d %d\\n" $? "$(stat -c %s "$out")"; cat "$out" "$err"; rm -f "$out" "$err"',
            seconds + 60,
        )
        if answer is None:
            if check:
                raise CommandError(f"{words}: no answer\n{self.last_words()}")
            return Ran(255, "", "no answer")
        head, _, rest = answer.partition("\n")
        code, size = map(int, head.split())
        out, err = rest.encode()[:size].decode(), rest.encode()[size:].decode()
        if check and code != 0:
            raise CommandError(f"{words}: {code}\n{out}{err}")
        return Ran(code, out, err)

    def read(self, inside: str | Path) -> str | None:
        ran = self.run("cat", inside, check=False)
        return ran.out if ran.code == 0 else None

    def write(self, inside: str | Path, text: str) -> None:
        self.run("install", "-D", "-m", "644", "/dev/stdin", inside, stdin=text)

    @property
    def console(self) -> Path:
        """What the kernel and systemd wrote on the serial line."""
        return self.folder / "console.log"

    def last_words(self, lines: int = 40) -> str:
        text = self.console.read_text(errors="replace") if self.console.exists() else "nothing on its console"
        return "\n".join("    " + line for line in text.splitlines()[-lines:])

    # --- Details

    def _command(self) -> list[str | Path]:
        (kernel,) = (self.kernel / "boot").glob("vmlinuz-*")
        # The controller and the file system are part of Debian's kernel, so that no initial RAM disk is needed.
        boot = "root=/dev/nvme0n1 rw console=ttyS0 panic=-1 mitigations=off nokaslr systemd.show_status=no"
        network = f"user,id=network,hostfwd=tcp:127.0.0.1:{self._port}-{ADDRESS}:{DOOR_PORT}"
        accelerator = os.environ.get(ACCELERATOR) or "tcg"
        processor = "host" if accelerator == "kvm" else "qemu64,-svm"
        return [
            "qemu-system-x86_64", "-machine", "q35", "-accel", accelerator, "-cpu", processor,
            "-smp", str(PROCESSORS), "-m", str(self.megabytes), "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot",
            "-kernel", kernel, "-append", boot,
            "-drive", f"id=disk,file={self.folder}/disk,format=raw,if=none,cache=unsafe",
            "-device", "nvme,drive=disk,serial=root",
            "-netdev", network, "-device", "virtio-net-pci,netdev=network,romfile=",
            "-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console",
            "-qmp", f"unix:{self.folder}/monitor,server=on,wait=off",
        ]  # fmt: skip

    def _ask(self, script: str, seconds: float) -> str | None:
        """What the shell behind the door prints; None when it cannot be reached or the connection breaks."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), seconds) as door:
                door.sendall(script.encode() + b"\n")
                door.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: door.recv(65536), b""))
        except OSError:
            return None
        return answer.decode(errors="replace") or None

    def _why_gone(self) -> str | None:
        gone = self._qemu and self._qemu.why_gone()
        return f"{gone}\n{self.last_words()}" if gone else None
