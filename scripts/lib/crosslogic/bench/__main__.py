"""`scripts/bench [NAME …]`: runs groups of figures, or single figures by a part of their name."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from crosslogic import install, swift
from crosslogic.bench.figures import Figure, rows
from crosslogic.console import Console
from crosslogic.stack import Stack, interrupt_on_termination
from crosslogic.waiting import NeverCameError

# Each is a module beside this one, with `FIGURES`: a list of functions from Bench to a list of Figure.
GROUPS = ["agent", "change", "contract", "fleet", "log", "loading", "preemption", "preflight", "start", "systemd"]


@dataclass
class Bench:
    """What a measurement is given."""

    console: Console
    engine: str
    runs: int | None
    nodes: int | None

    @functools.cached_property
    def binaries(self) -> Path:
        """Built on first use: not every figure needs them."""
        return swift.release_binaries(self.console)

    @functools.cached_property
    def rclone(self) -> Path:
        return install.ensure_tools(self.console) / "bin" / "rclone"

    @contextlib.contextmanager
    def stack(self) -> Iterator[Stack]:
        """Its folder stays, with every log, where something waited for never came."""
        with Stack(self.binaries, self.rclone, "bench") as stack:
            try:
                yield stack
            except NeverCameError:
                stack.keep_folder = True
                self.console.line(f"what was running wrote its logs to {stack.folder}")
                raise

    def count(self, usual: int) -> int:
        return self.runs or usual

    def note(self, text: str) -> None:
        self.console.stage(text)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"groups ({', '.join(GROUPS)}) or GROUP.MEASUREMENT")
    parser.add_argument("--json", action="store_true", help="a JSON list on standard output")
    parser.add_argument(
        "--runs", type=int, metavar="N", help="samples of each measurement, instead of its usual number"
    )
    parser.add_argument("--nodes", type=int, metavar="N", help="simulated nodes, for the group fleet")
    parser.add_argument("--list", action="store_true", help="the measurements there are")
    parser.add_argument(
        "--engine", choices=["real", "simulated"], default="real", help="for measurements that can do with either"
    )
    return parser.parse_args(arguments)


def measurements() -> dict[str, object]:
    found: dict[str, object] = {}
    for group in GROUPS:
        module: ModuleType = importlib.import_module(f"crosslogic.bench.{group}")
        for function in module.FIGURES:
            found[f"{group}.{function.__name__}"] = function
    return found


def chosen(names: list[str]) -> list[str]:
    """Raises SystemExit naming what there is none of."""
    known = list(measurements())
    picked: list[str] = []
    for name in names or GROUPS:
        hits = [entry for entry in known if entry == name or entry.startswith(f"{name}.")]
        if not hits:
            raise SystemExit(f"scripts/bench: no group or measurement {name}; there are {', '.join(GROUPS + known)}")
        picked += [hit for hit in hits if hit not in picked]
    return picked


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if options.list:
        print("\n".join(measurements()))
        return 0
    console = Console(sys.stderr)
    interrupt_on_termination()
    bench = Bench(console, options.engine, options.runs, options.nodes)
    figures, code = measure(chosen(options.names), bench)
    console.done()
    if options.json:
        json.dump([entry.as_json() for entry in figures], sys.stdout, indent=1)
        print()
    else:
        print("\n".join(rows(figures)))
    return code or (1 if any(entry.met is False for entry in figures) else 0)


def measure(names: list[str], bench: Bench) -> tuple[list[Figure], int]:
    """What was measured, and the exit code: one that fails takes nothing from the others."""
    figures: list[Figure] = []
    code = 0
    for name in names:
        try:
            figures += measurements()[name](bench)
        except NeverCameError as error:
            bench.console.line(f"{name} failed: {error}")
            code = 1
        except (install.InstallError, swift.BuildError) as error:
            bench.console.line(f"failed: {error}")
            return figures, 1
        except KeyboardInterrupt:
            return figures, 130
    return figures, code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
