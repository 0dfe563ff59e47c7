"""Whether there is a checkpoint of a parked process that fits, and the way into it.

A checkpoint is the memory of a process that has imported all and knows of no assignment. Where it fits, a start is that
process within milliseconds; where anything differs, the start imports.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
import zlib
from pathlib import Path
from typing import Any

from crosslogic_launcher import environment
from crosslogic_launcher.header import read_facts
from crosslogic_launcher.installation import installation, version
from crosslogic_launcher.modules import ModuleList

LAUNCHER = Path(__file__).resolve().parent.parent
RESTORE = LAUNCHER / "native" / "restore"
LIBRARY = LAUNCHER / "native" / "checkpoint.so"

SETTING = "CROSSLOGIC_CHECKPOINT"
OFF = "off"
IDLE = 20.0
"""Seconds without a request, after which a fork server is kept."""
NOT_RESTORED = "CROSSLOGIC_NOT_RESTORED"
"""How the native program says why the checkpoint does not fit after all."""
MODES = ("preload", "park")

MOST_CLAIMS = 3
"""Starts from a checkpoint that have not come to anything, one after the other."""
DISTRUST = 86_400.0
"""Seconds without one, after that: the starts may have failed for reasons of their own."""


def idle_seconds(variables: dict[str, str]) -> float | None:
    """None where none is kept: it is not wanted, or the machine cannot."""
    wanted = variables.get(SETTING, "")
    if wanted == OFF or not LIBRARY.exists() or not RESTORE.exists():
        return None
    try:
        return max(0.0, float(wanted)) if wanted else IDLE
    except ValueError:
        return IDLE


class Place:
    """The files of a checkpoint, in the folder of what starts have recorded."""

    def __init__(self, state: Path) -> None:
        self.file = state / "checkpoint"
        self.new = state / "checkpoint.new"
        self.lock = state / "checkpoint.lock"
        self.failed = state / "checkpoint.failed"
        self.claims = state / "checkpoint.claims"

    def facts(self) -> dict[str, Any] | None:
        """None where there is no checkpoint, and empty ones of a file that is none."""
        found = read_facts(self.file)
        if found is None:
            return None
        try:
            facts = json.loads(found)
        except ValueError:
            return {}
        return facts if isinstance(facts, dict) else {}

    def claim(self) -> None:
        """A start from it begins. One after which the claim stays has not come to anything."""
        with self.claims.open("ab", buffering=0) as file:
            file.write(b".")

    def take_back(self) -> None:
        with contextlib.suppress(OSError):
            os.truncate(self.claims, max(0, self.claimed - 1))

    def prove(self) -> None:
        self.claims.unlink(missing_ok=True)

    @property
    def claimed(self) -> int:
        try:
            return self.claims.stat().st_size
        except OSError:
            return 0

    def give_up(self, facts: dict[str, Any], reason: str, seconds: float | None = None) -> None:
        """None is made again for so long, or until something is another."""
        until = None if seconds is None else time.time() + seconds
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)
            self.claims.unlink(missing_ok=True)
            self.failed.write_text(json.dumps({"reason": reason, "until": until, "facts": facts}))

    def has_failed_with(self, facts: dict[str, Any]) -> bool:
        try:
            found = json.loads(self.failed.read_text())
            return bool(found["facts"] == facts) and time.time() < (found["until"] or math.inf)
        except (OSError, ValueError, KeyError, TypeError):
            return False


def facts_now(vllm: Path, state: Path, variables: dict[str, str]) -> dict[str, Any]:
    """What a process of now would differ in, were any of it another; in values that JSON leaves as they are."""
    installed = installation(vllm)
    modules = ModuleList(state, version(installed) or "")
    modules.load()
    kernel = os.uname()
    facts = {
        "launcher": [
            entry for folder in (LAUNCHER / "crosslogic_launcher", LAUNCHER / "native") for entry in of(folder)
        ],
        "interpreter": [sys.version, *interpreter()],
        "installation": installed,
        "modules": zlib.crc32(json.dumps([modules.names, modules.left_out]).encode()),
        "kernel": [kernel.sysname, kernel.release, kernel.version, kernel.machine],
        "processors": [processor(), sorted(os.sched_getaffinity(0))],
        "GPUs": gpus(),
        "environment": {name: value for name, value in variables.items() if not environment.is_late(name)},
    }
    # As it comes out of the file: tuples are lists there.
    return dict(json.loads(json.dumps(facts)))


def of(folder: Path) -> list[list[Any]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        files = [(entry.name, entry.stat()) for entry in entries if entry.name.endswith((".py", ".so", "restore"))]
        return sorted([name, status.st_size, status.st_mtime_ns] for name, status in files)
    return []


def interpreter() -> list[Any]:
    path = Path(sys.executable).resolve()
    status = path.stat()
    return [str(path), status.st_size, status.st_mtime_ns]


VARYING = ("processor", "core id", "apicid", "initial apicid", "physical id", "cpu MHz", "bogomips", "microcode")


def processor() -> list[str]:
    """What libraries choose their code by."""
    lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    return [line for line in lines if line.partition(":")[0].strip() not in VARYING]


def gpus() -> list[str]:
    """And their driver's version."""
    try:
        driver = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        driver = ""
    return [driver, *sorted(name for name in os.listdir("/dev") if name.startswith("nvidia"))]  # noqa: PTH208 - names


def misfit(kept: dict[str, Any], now: dict[str, Any]) -> str | None:
    """What is another than it was, in words."""
    for name, value in now.items():
        was = kept.get(name)
        if was == value:
            continue
        if name == "environment" and isinstance(was, dict):
            variable = environment.difference(was, value)
            if variable is None:
                continue
            return f"{variable} differs"
        if name == "processors" and isinstance(was, list) and was[:1] == value[:1]:
            return "other processors may be used"
        return f"{WORDS.get(name, name)} is another one"
    return "it is a process of the same number" if os.getpid() in kept.get("processes", []) else None


WORDS = {"processors": "the processor", "GPUs": "the GPU or its driver", "modules": "the list of modules"}


def restore(arguments: list[str]) -> str | None:
    """Does not return where there is a checkpoint that fits; otherwise why it does not, None where there is none."""
    reason = os.environ.pop(NOT_RESTORED, None)
    if reason or arguments[:1] not in ([mode] for mode in MODES) or os.environ.get(SETTING) == OFF:
        return reason
    try:
        own = arguments[: arguments.index("--")] if "--" in arguments else arguments
        state, vllm = (Path(own[own.index(name) + 1]) for name in ("--state", "--vllm"))
        place = Place(state)
        kept = place.facts()
        if kept is None or "--because" in own:
            return None
        return why_not(place, kept, facts_now(vllm, state, dict(os.environ))) or enter(place)
    except (OSError, ValueError, IndexError) as error:
        return f"{type(error).__name__}: {error}"


def why_not(place: Place, kept: dict[str, Any], now: dict[str, Any]) -> str | None:
    if place.claimed >= MOST_CLAIMS:
        why = f"{MOST_CLAIMS} starts from the checkpoint have come to nothing"
        place.give_up(now, why, DISTRUST)
        return why
    return misfit(kept, now)


def enter(place: Place) -> str:
    """Returns where it cannot be executed."""
    place.claim()
    try:
        os.execv(RESTORE, [str(RESTORE), str(place.file), sys.executable, *sys.argv])
    except OSError as error:
        place.take_back()
        return f"{RESTORE}: {error.strerror}"
