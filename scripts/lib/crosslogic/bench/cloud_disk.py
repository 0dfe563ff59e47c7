"""Reads as slowly as the disk that a cloud gives a machine by default (AWS gp3: 125 MiB/s, 3000 requests a second).

The disk of a development machine is memory of its host as often as not, and a cold page cache costs nothing there. The
kernel's own throttle is used (cgroup v1 `blkio`), for this process and all it starts; root only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

BYTES_A_SECOND = 125 << 20
REQUESTS_A_SECOND = 3000
READ_AHEAD = 128
"""KiB that the kernel reads beyond what is asked for: its default, which disks in clouds have. Here some have 8192, and
at 125 MiB/s each page that a restored process touches would bring megabytes that nobody wants: 7.5 s from boot to READY
instead of 4.4."""
CONTROLLER = Path("/sys/fs/cgroup/blkio")


def why_not(folder: Path) -> str | None:
    if not (CONTROLLER / "cgroup.procs").exists():
        return f"there is no {CONTROLLER} here, which slows a disk down"
    if not os.access(CONTROLLER, os.W_OK):
        return "slowing a disk down needs root"
    disk = disk_below(folder)
    if disk is None:
        return f"{folder} is on no disk"
    if not os.access(read_ahead_of(disk), os.W_OK):
        return f"{read_ahead_of(disk)} cannot be written"
    return None


@contextlib.contextmanager
def slowed_down(folder: Path) -> Iterator[None]:
    """The disk below `folder`, for as long as the context lasts."""
    disk = disk_below(folder)
    assert disk
    with throttled(disk), usual_read_ahead(disk):
        yield


@contextlib.contextmanager
def throttled(disk: str) -> Iterator[None]:
    group = CONTROLLER / f"crosslogic-bench-{os.getpid()}"
    group.mkdir()
    try:
        (group / "blkio.throttle.read_bps_device").write_text(f"{disk} {BYTES_A_SECOND}")
        (group / "blkio.throttle.read_iops_device").write_text(f"{disk} {REQUESTS_A_SECOND}")
        (group / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        move_all(group, CONTROLLER)
        group.rmdir()


@contextlib.contextmanager
def usual_read_ahead(disk: str) -> Iterator[None]:
    setting = read_ahead_of(disk)
    before = setting.read_text()
    try:
        setting.write_text(str(READ_AHEAD))
        yield
    finally:
        setting.write_text(before)


def read_ahead_of(disk: str) -> Path:
    return Path(f"/sys/dev/block/{disk}/queue/read_ahead_kb")


def move_all(group: Path, to: Path) -> None:
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (to / "cgroup.procs").write_text(pid)


def disk_below(folder: Path) -> str | None:
    """Its number, `MAJOR:MINOR`: of the whole disk, since partitions cannot be slowed down."""
    device = folder.stat().st_dev
    place = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not place.exists():
        return None
    place = place.resolve()
    return ((place.parent if (place / "partition").exists() else place) / "dev").read_text().strip()
