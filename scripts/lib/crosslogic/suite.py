"""Everything a CI must run: checks, Swift tests, the data-race run, the operator's scripts, the end-to-end tests and
those in a real systemd.

Ends with one line, `N passed, N failed`, over all of them; the exit code is non-zero when anything failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from crosslogic import checks, fuzz, install, swift
from crosslogic.console import Console, Stopwatch
from crosslogic.paths import ROOT

FUZZ_SECONDS = 15

# The targets with concurrency of their own; the others are values.
RACE_TARGETS = ["AgentCoreTests", "AgentRuntimeTests", "AgentSystemTests"]


# How Swift Testing's messages begin, and end, that say: it begins, it has passed. An argument of a test may break them
# into several lines.
UNEVENTFUL = ("\u25c7 ", '\u2714 Test "', "\u2714 Test case", "\u2714 Suite", "[")
MESSAGE_ENDS = ("started.\n", "seconds.\n")


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.passed + other.passed, self.failed + other.failed)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


@dataclass(frozen=True)
class Step:
    name: str
    run: Callable[[], Tally]


class Suite:
    def __init__(self, options: argparse.Namespace, console: Console, reports: Path) -> None:
        self.options = options
        self.console = console
        self.reports = reports

    def steps(self) -> list[Step]:
        races = self.options.sanitize or not self.options.fast
        steps = [
            Step("checks", self.checks),
            Step("Swift tests", self.swift_tests),
            Step("random logs", self.fuzz),
            Step("Swift tests under the thread sanitizer", self.race_tests) if races else None,
            Step("operator's scripts", self.operator_tests),
            Step("tests of the engine launcher", self.launcher_tests),
            Step("end-to-end tests, simulated engine", self.simulated_engine_tests),
            Step("tests in a real systemd", self.systemd_tests),
            Step("tests of the package", self.packaging_tests),
            Step("tests in a virtual machine", self.virtual_machine_tests) if self.options.long else None,
            Step("end-to-end tests, real engine", self.real_engine_tests) if not self.options.fast else None,
        ]
        return [step for step in steps if step]

    def checks(self) -> Tally:
        """Among them the debug build that the Swift tests run."""
        return Tally(*checks.run_all(self.console))

    def swift_tests(self) -> Tally:
        return self.swift_test("swift", ["--skip-build"])

    def fuzz(self) -> Tally:
        """A short run; `scripts/fuzz` makes longer ones."""
        try:
            executed = fuzz.fuzz(self.console, None, FUZZ_SECONDS)
        except fuzz.FuzzError as error:
            self.console.line(str(error))
            return Tally(failed=1)
        self.console.line(f"{executed} random logs read")
        return Tally(passed=1)

    def race_tests(self) -> Tally:
        # A scratch folder of its own: the two kinds of object files would otherwise push each other out.
        scratch = ["--scratch-path", str(ROOT / ".build" / "thread-sanitizer"), "--sanitize", "thread"]
        scratch += ["-Xswiftc", "-DTHREAD_SANITIZER"]
        os.environ["CROSSLOGIC_AGENT_ONLY"] = "1"
        # Resolving for the agent alone forgets the versions of everything else.
        resolved = ROOT / "Package.resolved"
        versions = resolved.read_bytes()
        try:
            swift.build(
                ["swift", "build", "--build-tests", *scratch], "building with the thread sanitizer", self.console
            )
            return self.swift_test("races", [*scratch, "--skip-build", "--filter", "|".join(RACE_TARGETS)])
        finally:
            del os.environ["CROSSLOGIC_AGENT_ONLY"]
            resolved.write_bytes(versions)

    def swift_test(self, name: str, arguments: list[str]) -> Tally:
        report = self.reports / f"{name}.xml"
        command = ["swift", "test", "--parallel", "--disable-xctest", "--xunit-output", str(report), *arguments]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
            for line in eventful(run.stdout or []):
                print(line, end="", flush=True)
            code = run.wait()
        return tally_of(report, code, self.console)

    def operator_tests(self) -> Tally:
        """The benchmark's among them load with the real streamer, which comes with the engine."""
        with_engine = not self.options.fast
        if with_engine:
            install.ensure_engine(self.console)
        selection = [] if with_engine else ["-m", "not real"]
        return self.pytest("operator", ["Tests/Operator", "--numprocesses", "4", *selection])

    def launcher_tests(self) -> Tally:
        return self.pytest("launcher", ["Tests/EngineLauncher", "--numprocesses", "4"])

    def simulated_engine_tests(self) -> Tally:
        swift.release_binaries(self.console)
        # They wait more than they work.
        return self.pytest("simulated", ["-m", "not real", "--numprocesses", "4", "--dist", "loadfile"])

    def real_engine_tests(self) -> Tally:
        """One at a time: an engine keeps two cores busy while it starts, and what it does then is timed."""
        swift.release_binaries(self.console)
        install.ensure_engine(self.console)
        places = {"real": [], "real-systemd": ["Tests/Systemd"], "real-packaging": ["Tests/Packaging"]}
        return sum((self.pytest(name, ["-m", "real", *place]) for name, place in places.items()), Tally())

    def packaging_tests(self) -> Tally:
        """With --long also on other releases of Debian, and with SkyPilot's own parser."""
        if os.geteuid() != 0:
            self.console.line("left out: booting a systemd needs root")
            return Tally()
        swift.release_binaries(self.console)
        selection = "not real" if self.options.long else "not real and not long"
        return self.pytest("packaging", ["-m", selection, "--numprocesses", "4", "Tests/Packaging"])

    def systemd_tests(self) -> Tally:
        if os.geteuid() != 0:
            self.console.line("left out: booting a systemd needs root")
            return Tally()
        swift.release_binaries(self.console)
        if self.options.long:
            os.environ["CROSSLOGIC_LONG"] = "1"
        return self.pytest("systemd", ["-m", "not real", "--numprocesses", "4", "--dist", "load", "Tests/Systemd"])

    def virtual_machine_tests(self) -> Tally:
        """One machine at a time: its processors are emulated by the two or so that there are."""
        if os.geteuid() != 0:
            self.console.line("left out: making a root file system needs root")
            return Tally()
        swift.release_binaries(self.console)
        return self.pytest("virtual-machine", ["Tests/VirtualMachine"])

    def pytest(self, name: str, arguments: list[str]) -> Tally:
        tools = install.ensure_tools(self.console)
        report = self.reports / f"{name}.xml"
        command = [str(tools / "bin" / "pytest"), "-q", f"--junitxml={report}", *arguments]
        code = subprocess.run(command, check=False, cwd=ROOT, stdin=subprocess.DEVNULL).returncode
        return tally_of(report, code, self.console)


def eventful(lines: Iterable[str]) -> Iterator[str]:
    """Without the messages that all is well. What a crash says stands outside of any message, and stays."""
    inside = False
    for line in lines:
        inside = inside or line.startswith(UNEVENTFUL)
        if not inside:
            yield line
        elif line.endswith(MESSAGE_ENDS) or line.startswith("["):
            inside = False


def tally_of(report: Path, code: int, console: Console) -> Tally:
    """From a JUnit report. A run that ended badly without a failed test in its report counts as one failure."""
    tally = Tally()
    try:
        for suite in ET.parse(report).getroot().iter("testsuite"):
            bad = sum(int(suite.get(name, 0)) for name in ("failures", "errors"))
            # Left out is neither: `skipped` tests say in the output why they were.
            tally += Tally(int(suite.get("tests", 0)) - bad - int(suite.get("skipped", 0)), bad)
    except (FileNotFoundError, ET.ParseError) as error:
        console.line(f"no report of the tests: {error}")
    if (code != 0 and tally.failed == 0) or (tally.passed == 0 and tally.failed == 0):
        console.line(f"the run ended with exit code {code} and {tally}: counted as a failure")
        tally.failed += 1
    return tally


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/test", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="no real vLLM and no thread sanitizer: minutes, not tens")
    parser.add_argument(
        "--long",
        action="store_true",
        help="a hundred kills where ten are usual; other Debians; a kernel of its own, in a virtual machine",
    )
    parser.add_argument("--sanitize", action="store_true", help="the thread sanitizer even with --fast")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    console = Console(sys.stdout)
    os.chdir(ROOT)
    reports = Path(tempfile.mkdtemp(prefix="crosslogic-reports-"))
    total = Tally()
    try:
        for step in Suite(options, console, reports).steps():
            console.line(f"== {step.name}")
            watch = Stopwatch()
            try:
                tally = step.run()
            except (swift.BuildError, install.InstallError) as error:
                console.line(str(error))
                tally = Tally(failed=1)
            console.line(f"== {step.name}: {tally} ({watch.seconds:.0f} s)")
            total += tally
    except KeyboardInterrupt:
        console.line("interrupted")
        return 130
    finally:
        shutil.rmtree(reports, ignore_errors=True)
    print(total, flush=True)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
