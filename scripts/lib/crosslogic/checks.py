"""Format, lint, layering and link checks. Each prints one line; what is wrong follows it."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from crosslogic import install, swift
from crosslogic.console import Console
from crosslogic.paths import ROOT

# The agent must stay small: full Foundation costs 40 MB of memory. AgentCore decides and touches nothing.
AGENT_TARGETS = ["AgentCore", "AgentWire", "AgentSystem", "AgentRuntime", swift.AGENT]
IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+(?:\w+\s+)?(\w+)"
)
FULL_FOUNDATION = {"Foundation", "FoundationNetworking", "FoundationXML", "FoundationInternationalization"}

# Everything the release agent may load at run time; the libraries behind libcurl come and go with it.
DIRECT_LIBRARIES = re.compile(r"^(lib(c|m|curl|systemd|ssl|crypto|stdc\+\+|gcc_s|z|atomic)|ld-linux-[\w-]+)\.so")

LAYERING = ["swift", "build", "--build-tests", "--explicit-target-dependency-import-check", "error"]


class CheckError(Exception):
    """What is wrong, in lines."""


@dataclass(frozen=True)
class Check:
    name: str
    run: Callable[[Console], None]


def swift_format(_console: Console) -> None:
    folders = ["Package.swift", "Sources", "Tests"]
    require(["swift", "format", "lint", "--strict", "--parallel", "--recursive", *folders])


def layering(console: Console) -> None:
    """The debug build, tests included, with undeclared imports as errors."""
    install.ensure_build_packages(console)
    swift.build(LAYERING, "building for debugging, imports checked", console)


def imports(_console: Console) -> None:
    faults = []
    for target in AGENT_TARGETS:
        for file in sorted((ROOT / "Sources" / target).rglob("*.swift")):
            for module in imported_modules(file):
                if module in FULL_FOUNDATION:
                    faults.append(f"{file.relative_to(ROOT)} imports {module}; FoundationEssentials is allowed")
                elif target == "AgentCore":
                    faults.append(f"{file.relative_to(ROOT)} imports {module}; AgentCore imports nothing")
    complain(faults)


def imported_modules(file: Path) -> Iterable[str]:
    return (match[1] for line in file.read_text().splitlines() if (match := IMPORT.match(line)))


def agent_links(console: Console) -> None:
    """Full Foundation neither as a library nor inside the statically linked file."""
    binary = swift.release_binaries(console) / swift.AGENT
    dynamic = output(["readelf", "--dynamic", "--wide", str(binary)])
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic)
    faults = [f"the agent needs {library}" for library in needed if not DIRECT_LIBRARIES.match(library)]
    symbols = output(["readelf", "--syms", "--wide", str(binary)])
    if found := re.search(r"\$s10Foundation\d\w*|\w*NSObjectC\w*", symbols):
        faults.append(f"the agent contains full Foundation: symbol {found[0]}")
    complain(faults)


def shell(console: Console) -> None:
    install.ensure_system_packages(list(install.CHECK_PACKAGES), console)
    require(["shellcheck", "--severity=style", *map(str, files_starting_with("#!/usr/bin/env bash", "#!/bin/sh"))])


def python_lint(console: Console) -> None:
    require([ruff(console), "check", "--quiet", "."])


def python_format(console: Console) -> None:
    require([ruff(console), "format", "--quiet", "--check", "."])


def ruff(console: Console) -> str:
    return str(install.ensure_tools(console) / "bin" / "ruff")


def own_ground(_console: Console) -> None:
    """A clone stands on its own: no path leads out of it to where its makers worked."""
    outside = re.compile(r"\.\./" + r"shared\b|/work/" + r"shared\b")
    faults = []
    for file in tracked_files():
        try:
            text = file.read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        faults += [
            f"{file.relative_to(ROOT)}:{number} leads out of the checkout"
            for number, line in enumerate(text.splitlines(), 1)
            if outside.search(line)
        ]
    complain(faults)


CHECKS = [
    Check("swift format", swift_format),
    Check("imports of the agent", imports),
    Check("paths stay in the checkout", own_ground),
    Check("shellcheck", shell),
    Check("ruff check", python_lint),
    Check("ruff format", python_format),
    Check("layering", layering),
    Check("what the agent links", agent_links),
]


def tracked_files() -> list[Path]:
    listing = output(["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"])
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def files_starting_with(*starts: str) -> list[Path]:
    found = []
    for file in tracked_files():
        with file.open("rb") as content:
            if content.readline().decode("utf-8", "replace").rstrip() in starts:
                found.append(file)
    return found


def require(command: list[str]) -> None:
    result = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    if result.returncode != 0:
        raise CheckError((result.stdout + result.stderr).strip() or f"exit code {result.returncode}")


def output(command: list[str]) -> str:
    return subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout


def complain(faults: list[str]) -> None:
    if faults:
        raise CheckError("\n".join(faults))


def run_all(console: Console) -> tuple[int, int]:
    """How many passed and failed."""
    failed = 0
    for check in CHECKS:
        try:
            check.run(console)
            console.line(f"ok      {check.name}")
        except (CheckError, swift.BuildError, install.InstallError) as error:
            failed += 1
            console.line(f"FAILED  {check.name}")
            for line in str(error).splitlines():
                console.line(f"        {line}")
    return len(CHECKS) - failed, failed


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/check", description=__doc__)
    parser.parse_args(arguments)
    os.chdir(ROOT)
    passed, failed = run_all(Console(sys.stdout))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
