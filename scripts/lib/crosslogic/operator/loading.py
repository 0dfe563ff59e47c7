"""Measured loads: what is compared, in which state of the caches, and in which order."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from crosslogic.operator.outcome import Exit, OperatorError
from crosslogic.paths import SCRIPTS

State = Literal["cold", "disk", "warm"]
STATE_WORDS: dict[State, str] = {
    "cold": "nothing on this machine",
    "disk": "downloaded before, not in memory",
    "warm": "downloaded or read just before",
}
DROP_CACHES = Path("/proc/sys/vm/drop_caches")


@dataclass(frozen=True)
class Way:
    """One way to load: a method and, for the streamer, its settings."""

    name: str
    method: Literal["standard", "s3fs", "streamer"]
    concurrency: int | None = None

    @property
    def states(self) -> list[State]:
        """Only a download leaves something on the disk."""
        return ["cold", "disk", "warm"] if self.method == "standard" else ["cold", "warm"]


@dataclass
class Result:
    way: Way
    state: State
    seconds: list[float] = field(default_factory=list)
    download_seconds: list[float] = field(default_factory=list)
    extra_memory: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def as_json(self, total_bytes: int) -> dict[str, Any]:
        return {
            "way": self.way.name,
            "method": self.way.method,
            "concurrency": self.way.concurrency,
            "state": self.state,
            "seconds": [round(value, 4) for value in self.seconds],
            "median_s": round(self.median, 4),
            "min_s": round(min(self.seconds), 4),
            "max_s": round(max(self.seconds), 4),
            "bytes_per_s": round(total_bytes / self.median),
            "download_median_s": round(statistics.median(self.download_seconds), 4) if self.download_seconds else None,
            "extra_memory_bytes": self.extra_memory,
        }


class LoadHost:
    """The process that loads, in the Python that has torch and the streamer."""

    def __init__(self, python: Path, packages: list[Path], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self.environment = environment
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [python, "-m", "crosslogic.operator.load_host"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": os.environ.get("HOME", "/"),
                    "PYTHONPATH": str(SCRIPTS / "lib"),
                    "CROSSLOGIC_ENGINE_PACKAGES": os.pathsep.join(map(str, packages)),
                    **environment,
                },
            )
        self.facts = self.answer()

    def answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            words = self.log.read_text(errors="replace")[-2000:]
            raise OperatorError(Exit.UNAVAILABLE, f"the loading process ended (log: {self.log}):\n{words}")
        return json.loads(line)

    def load(self, **request: Any) -> dict[str, Any]:
        if self.process.stdin:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        answer = self.answer()
        if "error" in answer:
            raise OperatorError(Exit.UNAVAILABLE, f"{request['method']} failed (log: {self.log}):\n{answer['error']}")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Plan:
    bucket: str
    prefix: str
    shards: dict[str, int]
    tensors: int
    tensor_bytes: int
    device: str
    scratch: Path
    memory_limit: int
    connections: int
    drop: Literal["own files", "whole machine"]

    def order(self, ways: list[Way], runs: int) -> Iterator[tuple[Way, State]]:
        """Interleaved, and in another order each time: what changes meanwhile on link and machine hits all alike."""
        for run in range(runs):
            shift = run % len(ways)
            for way in ways[shift:] + ways[:shift]:
                for state in way.states:
                    yield way, state


def measure(host: LoadHost, plan: Plan, way: Way, state: State) -> dict[str, Any]:
    prepare_caches(plan, way, state)
    environment = {}
    if way.concurrency:
        environment = {
            "RUNAI_STREAMER_CONCURRENCY": str(way.concurrency),
            "RUNAI_STREAMER_MEMORY_LIMIT": str(plan.memory_limit),
        }
    answer = host.load(
        method=way.method,
        bucket=plan.bucket,
        prefix=plan.prefix,
        shards=plan.shards,
        scratch=str(plan.scratch),
        device=plan.device,
        environment=environment,
        connections=plan.connections,
    )
    # A fast load of half a model is no result.
    if (answer["tensors"], answer["bytes"]) != (plan.tensors, plan.tensor_bytes):
        raise OperatorError(
            Exit.VERIFICATION,
            f"{way.name} delivered {answer['tensors']} tensors, {answer['bytes']} bytes; "
            f"the model has {plan.tensors}, {plan.tensor_bytes}",
        )
    return answer


def prepare_caches(plan: Plan, way: Way, state: State) -> None:
    if way.method == "standard" and state == "cold":
        shutil.rmtree(plan.scratch, ignore_errors=True)
    plan.scratch.mkdir(parents=True, exist_ok=True)
    if state == "warm":
        return
    for path in plan.scratch.iterdir():
        with path.open("rb") as file:
            # Pages that are not written yet cannot be dropped.
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if plan.drop == "whole machine":
        os.sync()
        DROP_CACHES.write_text("1\n")


def may_drop_everything() -> bool:
    return os.access(DROP_CACHES, os.W_OK)


@contextlib.contextmanager
def scratch_folder(parent: Path, needed: int) -> Iterator[Path]:
    """For the downloads of the standard way. Gone afterwards, however it ends."""
    free = shutil.disk_usage(parent).free
    if free < needed * 1.1:
        raise OperatorError(
            Exit.UNAVAILABLE,
            f"{parent} has {free / 1e9:.1f} GB free, the download takes {needed / 1e9:.1f} GB",
            "Give a larger disk with --scratch.",
        )
    folder = parent / f"crosslogic-loading-{os.getpid()}"
    try:
        yield folder / "model"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
