"""Group `log`: how fast the engine's log is read, how soon a line is understood, and what a long one costs."""

from __future__ import annotations

import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crosslogic import procfs, swift
from crosslogic.bench.figures import Figure, figure, quantile
from crosslogic.paths import TRANSCRIPTS

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

LOG_BENCH = "log-bench"
GIGABYTE = 1_000_000_000
MEGABYTE = 1 << 20
# Memory, where there is room: a disk would be measured otherwise.
MEMORY = Path("/dev/shm")

# What a log grows by when the start is over: requests, probes, and the statistics of every ten seconds.
SERVING = (b'HTTP/1.1" ', b"] Engine 000: Avg prompt throughput")


def speed(bench: Bench) -> list[Figure]:
    """Bytes of log per second of CPU, `grep -c` beside it. Read once before, so that no disk is in the figure."""
    binary = log_bench(bench)
    runs = bench.count(5)
    figures = []
    with folder() as place:
        # What a log of a gigabyte consists of; and, to explain it, what none consists of: a start writes 40 kB.
        for name, lines, goal in (("a serving engine's lines", serving(), 1), ("nothing but starts", starts(), None)):
            log = place / "vllm.log"
            write_log(log, lines, GIGABYTE)
            ours, theirs = [], []
            for number in range(runs):
                bench.note(f"log: 1 GB of {name}, run {number + 1} of {runs}")
                theirs.append(gigabytes_per_second(["grep", "-c", "Application startup complete", str(log)], log))
                ours.append(gigabytes_per_second([str(binary), "scan", str(log)], log))
            figures.append(
                figure(
                    f"scan and parse on one core, {name} (beside: grep -c)",
                    ours,
                    "GB/s",
                    goal=goal,
                    better="higher",
                    baseline=statistics.median(theirs),
                )
            )
    return figures


def starts() -> bytes:
    """Every transcript of the tests, one after the other."""
    return b"".join(file.read_bytes() for file in sorted(TRANSCRIPTS.glob("*.log")))


def serving() -> bytes:
    """Of the same, the lines of engines that serve."""
    lines = starts().splitlines(keepends=True)
    return b"".join(line for line in lines if any(words in line for words in SERVING))


def write_log(path: Path, lines: bytes, size: int) -> None:
    block = lines * (8 * MEGABYTE // len(lines) + 1)
    with path.open("wb") as log:
        while log.tell() < size:
            log.write(block)


def gigabytes_per_second(command: list[str], log: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # grep exits with 1 where it finds nothing.
    # Into a pipe: grep stops at the first match where nobody reads.
    result = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    if result.returncode > 1:
        raise RuntimeError(f"{command[0]} exited with {result.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return log.stat().st_size / GIGABYTE / seconds


def latency(bench: Bench) -> list[Figure]:
    """From before the write of a line to the fact in the hands of its reader, in another process."""
    samples = []
    with (
        folder() as place,
        following(bench, place / "vllm.log") as (process, log),
        # Without buffers: a line is one write, as the engine's logging does it.
        log.open("ab", buffering=0) as writer,
    ):
        for number in range(bench.count(1000)):
            if number % 100 == 0:
                bench.note("log: line written to fact seen")
            # Longer than anything takes to fall asleep again, and no multiple of a clock's period.
            time.sleep(0.0073)
            written = time.monotonic_ns()
            writer.write(b"(Worker pid=9) INFO 11-21 18:00:00 [x.py:1] Loading weights took %d seconds\n" % number)
            words = process.stdout.readline().split()
            if words[:2] != ["fact", str(number)]:
                raise RuntimeError(f"line {number} came back as {words}")
            samples.append((int(words[3]) - written) / 1e6)
    return [
        figure("line written to fact seen, p99", samples, "ms", goal=5, value=quantile(0.99)),
        figure("line written to fact seen, median", samples, "ms"),
    ]


def memory(bench: Bench) -> list[Figure]:
    """Growth of what is the reader's own over 10 GB, rotated every 128 MiB; measured against its first 256 MiB."""
    total, piece = 10 * GIGABYTE, 64 * MEGABYTE
    # Without the one fact that the reader tells here: its words are for `latency`.
    lines = [line for line in (serving() + starts()).splitlines(keepends=True) if b"Loading weights took" not in line]
    block = b"".join(lines)
    block = (block * (piece // len(block) + 1))[:piece]
    growth, speeds = [], []
    with folder() as place, following(bench, place / "vllm.log") as (process, log):
        first, read, began = None, 0, time.monotonic()
        while read < total:
            if read // GIGABYTE != (read - piece) // GIGABYTE:
                bench.note(f"log: {read // GIGABYTE} of 10 GB followed")
            with log.open("ab") as writer:
                writer.write(block)
            read += piece
            # The reader says every 64 MiB how far it is.
            while process.stdout.readline() != f"read {read}\n":
                if process.poll() is not None:
                    raise RuntimeError(f"the reader ended with {process.returncode}")
            if read % (2 * piece) == 0:
                # The name is free for the next piece; the reader has the old one open and finds out by itself.
                log.rename(log.with_suffix(".old"))
            now = procfs.memory(process.pid).private / MEGABYTE
            if read >= 4 * piece:
                first = first if first is not None else now
                growth.append(now - first)
        speeds.append(read / GIGABYTE / (time.monotonic() - began))
    return [
        figure("memory of the reader, growth over 10 GB", growth, "MB", goal=1, value=max),
        figure("followed while it is written and rotated", speeds, "GB/s", better="higher"),
    ]


@contextmanager
def following(bench: Bench, log: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The reader at work on an empty log."""
    binary = log_bench(bench)
    log.touch()
    with subprocess.Popen([binary, "follow", log], stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout.readline() != "following\n":
                raise RuntimeError("the reader did not begin")
            yield process, log
        finally:
            process.kill()


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="crosslogic-log-", dir=MEMORY if MEMORY.is_dir() else None) as place:
        yield Path(place)


def log_bench(bench: Bench) -> Path:
    return swift.release_product(LOG_BENCH, bench.console)


FIGURES = [speed, latency, memory]
