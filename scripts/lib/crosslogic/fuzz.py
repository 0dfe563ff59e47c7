"""Feeds random logs to the reader of the engine's log: line assembler, parser, classifier, cut as a tailer would cut.

Guided by coverage (libFuzzer, part of the Swift toolchain). What must hold is in Tests/Fuzz/LogFuzzer.swift; an input
that breaks it is kept in .build/fuzz/artifacts and named, and run again by `scripts/fuzz FILE`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from crosslogic import install, swift
from crosslogic.console import Console
from crosslogic.paths import FUZZ, ROOT, TRANSCRIPTS

FOLDER = ROOT / ".build" / "fuzz"
ARTIFACTS = FOLDER / "artifacts"
# One input to a line, in base64: what libFuzzer found worth keeping.
CORPUS = FUZZ / "corpus.txt"
WORDS = FUZZ / "words.dict"
CORE = ROOT / "Sources" / "AgentCore"

# The settings of Package.swift; SwiftPM itself cannot build a program whose `main` is libFuzzer's.
FEATURES = ["ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault", "NonisolatedNonsendingByDefault"]
COMPILER = ["swiftc", "-swift-version", "6", "-O", "-wmo", "-parse-as-library", "-package-name", "crosslogic"]
COMPILER += [word for feature in FEATURES for word in ("-enable-upcoming-feature", feature)]

LONGEST_INPUT = 600
CUTS = bytes([12, 6, 200, 40, 17, 90, 255, 1])
DONE = re.compile(r"^Done (\d+) runs", re.MULTILINE)
EXECUTED = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)


class FuzzError(Exception):
    """What the fuzzer found."""


def ensure_fuzzer(console: Console, guided: bool = True) -> Path:
    """`guided` instruments the agent's code: ten times slower, and it finds what chance does not."""
    name = "log-fuzzer" if guided else "log-fuzzer-blind"
    binary, stamp = FOLDER / name, FOLDER / f"{name}.stamp"
    sources = [*sorted(CORE.rglob("*.swift")), FUZZ / "LogFuzzer.swift"]
    key = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    if binary.exists() and stamp.exists() and stamp.read_text() == key:
        return binary
    modules = FOLDER / name.removeprefix("log-fuzzer").removeprefix("-") / "modules"
    modules.mkdir(parents=True, exist_ok=True)
    core = modules / "AgentCore"
    instrument = ["-sanitize=fuzzer"] if guided else []
    swift.build(
        [
            *COMPILER, *instrument, "-module-name", "AgentCore", "-enable-testing",
            "-emit-module", "-emit-module-path", f"{core}.swiftmodule", "-c", "-o", f"{core}.o",
            *map(str, sources[:-1]),
        ],
        "building AgentCore for the fuzzer",
        console,
    )  # fmt: skip
    swift.build(
        [
            *COMPILER, "-sanitize=fuzzer", "-module-name", "LogFuzzer", "-I", str(modules),
            str(sources[-1]), f"{core}.o", "-o", str(binary),
        ],
        "building the fuzzer",
        console,
    )  # fmt: skip
    stamp.write_text(key)
    return binary


def seeds() -> Path:
    """The kept inputs and pieces of every transcript."""
    folder = FOLDER / "seeds"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    inputs = [base64.b64decode(line) for line in CORPUS.read_text().split()]
    for file in sorted(TRANSCRIPTS.glob("*.log")):
        lines = file.read_bytes().splitlines(keepends=True)
        inputs += [CUTS + b"".join(lines[at : at + 4])[:LONGEST_INPUT] for at in range(0, len(lines), 16)]
    for one in inputs:
        (folder / hashlib.sha256(one).hexdigest()[:16]).write_bytes(one)
    return folder


def fuzz(console: Console, runs: int | None, seconds: int | None, guided: bool = True) -> int:
    """How many inputs were run. Raises FuzzError with what the fuzzer says of the one that failed."""
    binary = ensure_fuzzer(console, guided)
    work = FOLDER / "work"
    for folder in (work, ARTIFACTS):
        folder.mkdir(parents=True, exist_ok=True)
    command = [binary, f"-dict={WORDS}", f"-max_len={LONGEST_INPUT}", f"-artifact_prefix={ARTIFACTS}/"]
    # A fresh seed each time: a run that repeats the one before finds nothing new.
    command += [f"-runs={runs}"] if runs else []
    command += [f"-max_total_time={seconds}"] if seconds else []
    command += ["-print_final_stats=1", "-rss_limit_mb=1024", "-timeout=10"]
    command += [] if guided else ["-keep_seed=1", "-len_control=0"]
    result = subprocess.run(
        [*command, work, seeds()], check=False, cwd=FOLDER, capture_output=True, text=True, errors="replace"
    )
    output = result.stderr
    if result.returncode != 0:
        raise FuzzError("\n".join(output.splitlines()[-40:]))
    executed = EXECUTED.search(output) or DONE.search(output)
    return int(executed[1]) if executed else 0


def keep_corpus(console: Console) -> int:
    """Replaces the corpus in the tree by the fewest inputs that reach what all inputs so far have reached."""
    binary = ensure_fuzzer(console)
    merged = FOLDER / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir()
    subprocess.run(
        # By edges alone: by counts of how often each was passed it would be thousands.
        [binary, "-merge=1", "-use_counters=0", "-use_value_profile=0", merged, FOLDER / "work", seeds()],
        check=True, capture_output=True,
    )  # fmt: skip
    inputs = sorted((file.read_bytes() for file in merged.iterdir()), key=lambda one: (len(one), one))
    CORPUS.write_text("".join(base64.b64encode(one).decode() + "\n" for one in inputs))
    return len(inputs)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("inputs", nargs="*", type=Path, metavar="FILE", help="inputs to run once, instead of new ones")
    parser.add_argument("--runs", type=int, metavar="N", help="inputs to run (default: for --seconds)")
    parser.add_argument("--seconds", type=int, metavar="N", help="how long (default: 60, without --runs)")
    parser.add_argument(
        "--blind", action="store_true", help="without looking at coverage: many times more inputs, of the same corpus"
    )
    parser.add_argument("--keep", action="store_true", help="write what was found worth keeping into the tree")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    console = Console(sys.stdout)
    os.nice(10)
    try:
        if options.inputs:
            command = [ensure_fuzzer(console), *options.inputs]
            return subprocess.run(command, check=False).returncode
        seconds = options.seconds or (None if options.runs else 60)
        executed = fuzz(console, options.runs, seconds, guided=not options.blind)
        console.line(f"{executed} inputs, none failed")
        if options.keep:
            console.line(f"{keep_corpus(console)} inputs are kept in {CORPUS.relative_to(ROOT)}")
    except (FuzzError, swift.BuildError, install.InstallError) as error:
        console.line(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
