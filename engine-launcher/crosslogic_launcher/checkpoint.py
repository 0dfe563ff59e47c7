"""Whether there is a checkpoint of a parked process that fits, and the way into it.

A checkpoint is the memory of a process that has imported all and knows of no assignment. Where it fits, a start is that
process within milliseconds; where anything differs, the start imports.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import sysconfig
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
NO_LAYOUT = "is never free"
"""How its reason ends where another try may find room."""
MODES = ("preload", "park")

MOST_CLAIMS = 3
"""Starts from a checkpoint that have not come to anything yet, one after the other."""
RETRY_AFTER = 3600.0
"""Seconds without one, where that could not be made, or starts from it have come to nothing. Both may have had reasons
that are no more: a full disk, a model that cannot be loaded.
"""


def idle_seconds(variables: dict[str, str]) -> float | None:
    """None where none is kept: it is not wanted, or the machine cannot."""
    wanted = variables.get(SETTING, "")
    if wanted == OFF or not LIBRARY.exists() or not RESTORE.exists() or environment.holds_secret(variables):
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

    def open(self) -> int | None:
        """Of the file, which may be replaced meanwhile; None where there is none."""
        try:
            return os.open(self.file, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None

    def facts(self) -> dict[str, Any]:
        """Of the file as it is; none of one that is not there."""
        descriptor = self.open()
        if descriptor is None:
            return {}
        try:
            return facts_of(descriptor)
        finally:
            os.close(descriptor)

    def claim(self) -> None:
        """A start from it begins. One after which the claim stays has not come to anything. Raises OSError."""
        with self.claims.open("ab", buffering=0) as file:
            file.write(b".")

    def take_back(self) -> None:
        with contextlib.suppress(OSError):
            os.truncate(self.claims, max(0, self.claimed - 1))

    def prove(self) -> None:
        with contextlib.suppress(OSError):
            self.claims.unlink(missing_ok=True)

    @property
    def claimed(self) -> int:
        try:
            return self.claims.stat().st_size
        except OSError:
            return 0

    def give_up(self, facts: dict[str, Any], reason: str) -> None:
        """For `RETRY_AFTER`, or until something is another."""
        content = json.dumps({"reason": reason, "until": time.time() + RETRY_AFTER, "facts": facts}).encode()
        with contextlib.suppress(OSError):
            self.drop()
            self.prove()
            descriptor = os.open(self.failed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, content)
            finally:
                os.close(descriptor)

    def has_failed_with(self, facts: dict[str, Any]) -> bool:
        try:
            found = json.loads(self.failed.read_text())
            # A clock may have been wrong when it was written.
            return bool(found["facts"] == facts) and 0 < found["until"] - time.time() <= RETRY_AFTER
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def drop(self) -> None:
        with contextlib.suppress(OSError):
            self.file.unlink(missing_ok=True)


def facts_of(descriptor: int) -> dict[str, Any]:
    try:
        facts = json.loads(read_facts(descriptor))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def listed(vllm: Path, state: Path) -> ModuleList:
    """Without what starts have recorded since: a start that finds some imports it, and another follows."""
    modules = ModuleList(state, version(installation(vllm)) or "")
    modules.read()
    return modules


def facts_now(vllm: Path, modules: ModuleList, variables: dict[str, str]) -> dict[str, Any]:
    """What a process of now would differ in, were any of it another; in values that JSON leaves as they are."""
    kernel = os.uname()
    facts = {
        "launcher": [
            entry for folder in (LAUNCHER / "crosslogic_launcher", LAUNCHER / "native") for entry in of(folder)
        ],
        "interpreter": [sys.version, *interpreter()],
        "installation": installation(vllm),
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
        # A package's files bear its release's date, whatever is in them.
        return sorted([name, status.st_size, status.st_mtime_ns, status.st_ino] for name, status in files)
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
    found = sorted(name for name in os.listdir("/dev") if name.startswith("nvidia"))  # noqa: PTH208 - names
    with contextlib.suppress(OSError):
        found.append(Path("/proc/driver/nvidia/version").read_text())
    for information in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        with contextlib.suppress(OSError):
            found += [line for line in information.read_text().splitlines() if line.startswith("Model")]
    return found


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
    if os.getpid() in kept.get("processes", []):
        return "it is a process of the same number"
    return changed_source(kept.get("sources", {}))


WORDS = {"processors": "the processor", "GPUs": "the GPU or its driver", "modules": "the list of modules"}


def changed_source(kept: dict[str, list[int]]) -> str | None:
    """Of the files that are edited in place, the first that was."""
    return next((f"{path} is another file now" for path, was in kept.items() if was != status_of(path)), None)


def status_of(path: str) -> list[int]:
    try:
        status = os.stat(path)  # noqa: PTH116 - a thousand times
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def sources() -> dict[str, list[int]]:
    """What this process has imported and nobody's installer tells when it changes: files of no package, and vLLM's own,
    which people mend in place.
    """
    folders = {sysconfig.get_path(name) + "/" for name in ("purelib", "platlib")}
    others = sysconfig.get_path("stdlib") + "/"
    found = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not isinstance(path, str):
            continue
        inside = next((path.removeprefix(folder) for folder in folders if path.startswith(folder)), None)
        if inside.startswith("vllm") if inside is not None else not path.startswith(others):
            found[path] = status_of(path)
    return found


def restore(arguments: list[str]) -> str | None:
    """Does not return where there is a checkpoint that fits; otherwise why it does not, None where there is none."""
    reason = os.environ.pop(NOT_RESTORED, None)
    if arguments[:1] not in ([mode] for mode in MODES) or os.environ.get(SETTING) == OFF:
        return reason
    try:
        own = arguments[: arguments.index("--")] if "--" in arguments else arguments
        state, vllm = (Path(own[own.index(name) + 1]) for name in ("--state", "--vllm"))
        place = Place(state)
        if reason:
            settle_refusal(place, reason)
            return reason
        descriptor = place.open()
        if descriptor is None or "--because" in own:
            return None
        now = facts_now(vllm, listed(vllm, state), dict(os.environ))
        why = why_not(place, facts_of(descriptor), now)
        if why is None:
            return enter(place, descriptor)
        os.close(descriptor)
    except (OSError, ValueError, IndexError) as error:
        return f"{type(error).__name__}: {error}"
    return why


def settle_refusal(place: Place, reason: str) -> None:
    """The native program has found that it does not fit; but for the layout of an address space, it never will."""
    place.take_back()
    if not reason.endswith(NO_LAYOUT):
        place.drop()


def why_not(place: Place, kept: dict[str, Any], now: dict[str, Any]) -> str | None:
    if place.claimed >= MOST_CLAIMS:
        why = f"none of the last {MOST_CLAIMS} starts from the checkpoint has lasted five minutes yet or ended in order"
        place.give_up(now, why)
        return why
    return misfit(kept, now)


def enter(place: Place, descriptor: int) -> str:
    """Returns where it cannot be executed."""
    place.claim()
    os.set_inheritable(descriptor, True)
    try:
        os.execv(RESTORE, [str(RESTORE), str(descriptor), sys.executable, *sys.argv])
    except OSError as error:
        place.take_back()
        os.close(descriptor)
        return f"{RESTORE}: {error.strerror}"
