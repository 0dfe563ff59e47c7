"""The launcher's command line: `preload --vllm VLLM --state FOLDER -- ARGUMENT…`, `park` with `--socket PATH` besides,
and `record --vllm VLLM --list FILE`."""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from crosslogic_launcher import (
    checkpoint,
    cleanliness,
    client,
    environment,
    forkserver,
    hang,
    inspection,
    oom,
    random_numbers,
    recorder,
)
from crosslogic_launcher.checkpoint import Place
from crosslogic_launcher.hang import Imports
from crosslogic_launcher.keeper import Restored
from crosslogic_launcher.modules import COMMAND, ModuleList
from crosslogic_launcher.preload import preload
from crosslogic_launcher.report import say
from crosslogic_launcher.restored import fork_restored
from crosslogic_launcher.standby import Go, Standby

if TYPE_CHECKING:
    from typing import Self

LAUNCHER = checkpoint.LAUNCHER
NEEDS = {"preload": ["state"], "park": ["state", "socket"], "record": ["list"]}


class PlainError(Exception):
    """Why the start has to be a plain one."""


class DirtyError(PlainError):
    """A module has done what cannot be undone; it is left out from now on."""


class NothingToImportError(PlainError):
    """Before anything was imported."""


def main(arguments: Sequence[str], not_restored: str | None = None) -> Any:
    """`not_restored`: why the start is not one from a checkpoint, where there is one."""
    # Whoever executes us may have blocked some; without SIGCHLD the fork server would not hear of any end.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if arguments[:1] == ["fork-server"]:
        found = forkserver.main(list(arguments[1:]))
        return restored(found) if found else 0
    options = parse(arguments)
    options.started_with = dict(os.environ)
    options.not_restored = not_restored
    if options.mode == "record":
        from crosslogic_launcher import trial  # noqa: PLC0415 - of no use to a start

        return trial.record(LAUNCHER, options.vllm, version(), options.list)
    return park(options) if options.mode == "park" else start(options)


def restored(found: Restored) -> Any:
    """What `main` is to a start that finds itself in the memory of another."""
    link = fork_restored(found)
    given = found.memory.take()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    random_numbers.renew()
    options = parse(given.arguments)
    options.link = link
    options.started_with = given.environment
    environment.become(environment.with_imports(given.environment, found.preloaded.started_with))
    try:
        code = park(options) if options.mode == "park" else start(options)
    except SystemExit as ended:
        code = ended.code
    if not code:
        # It has ended in order, however short it was.
        Place(options.state).take_back()
    return code


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="engine-launcher")
    parser.add_argument("mode", choices=list(NEEDS))
    parser.add_argument("--vllm", type=Path, required=True, help="its console script")
    parser.add_argument("--state", type=Path, help="folder for what starts have recorded")
    parser.add_argument("--list", type=Path, help="where the modules of a start without a model of anybody's go")
    parser.add_argument("--socket", type=Path, help="where a parked start hears of its go")
    parser.add_argument("--because", help="why a parked start has nothing imported")
    parser.add_argument("--tries", type=int, default=0, help="of a parked start to import all and hold no GPU")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:end])
    options.argv = list(arguments[end + 1 :])
    for name in NEEDS[options.mode]:
        if getattr(options, name) is None:
            parser.error(f"{options.mode} needs --{name}")
    options.link = options.not_restored = None
    return options


def start(options: argparse.Namespace) -> int:
    """The fork server imports beside the command's own imports."""
    try:
        modules = installed_modules(options.state)
        if options.not_restored:
            say(f"not restored, because {options.not_restored}")
        if modules.is_empty:
            record(modules)
        else:
            client.install(link(options, output=2))
            inspection.install()
            recorder.start(modules.records, COMMAND)
            say(f"preload{origin(options)}, {len(modules.names['engine'])} modules")
        serve = command()
    except Exception as error:
        plain(options.vllm, options.argv, options.started_with, reason(error))
    sys.argv = [str(options.vllm), *options.argv]
    return serve()


def link(options: argparse.Namespace, output: int) -> client.ForkServerLink:
    if options.link:
        return options.link
    idle = checkpoint.idle_seconds(options.started_with)
    after = forkserver.NEVER if idle is None else str(idle)
    arguments = [str(options.state), version(), str(options.vllm), after, "0"]
    return client.ForkServerLink.start(LAUNCHER, arguments, output)


def origin(options: argparse.Namespace) -> str:
    return " restored from a checkpoint" if options.link else ""


def park(options: argparse.Namespace) -> int:
    """Everything is imported, then it is waited. Nothing is printed to the engine's log before the go."""
    score = oom.score()
    for process in ["self", *([options.link.server.pid] if options.link else [])]:
        oom.adjust(oom.FIRST, process)
    imports = Imports()
    with Quiet() as quiet:

        def watch(go: Go) -> None:
            imports.watch(hang.PATIENCE, lambda: fall_back(options, go, imports.current, quiet, score))

        standby = Standby(options.socket, options.vllm, options.started_with, watch)
        found = None if options.because else import_for(standby, options, imports, quiet, score)
        if options.link:
            # It waits, as well as any: what may still fail is the start that comes with the go.
            Place(options.state).take_back()
        imports.ended.set()
        go = standby.wait()
        standby.thread.join()
    oom.adjust(score)
    if found is None:
        # With an environment of its own: what was imported counts for nothing.
        again(options, go.argv, go.environment, options.because)
    return go_on(options, go, time.monotonic() - standby.since, *found)


def import_for(
    standby: Standby, options: argparse.Namespace, imports: Imports, quiet: Quiet, score: int
) -> tuple[Callable[[], Any], ModuleList] | None:
    """None where the go is to begin anew, `options.because` says why. Does not return where the standby does so."""
    try:
        return import_all(options, quiet.output, imports)
    except NothingToImportError as error:
        options.because = reason(error)
    except Exception as error:
        if standby.withdraw():
            quiet.end()
            oom.adjust(score)
            begin_anew(options, standby.parked, error)
        options.because = reason(error)
    return None


def go_on(options: argparse.Namespace, go: Go, parked: float, serve: Callable[[], Any], modules: ModuleList) -> int:
    """`parked`: seconds."""
    if options.link:
        with contextlib.suppress(OSError):
            Place(options.state).claim()
    environment.become(environment.with_imports(go.environment, options.started_with))
    recorder.start(modules.records, COMMAND)
    if options.not_restored:
        say(f"not restored, because {options.not_restored}")
    say(f"standby{origin(options)}, {parked:.1f} s after it parked")
    sys.argv = [str(options.vllm), *go.argv]
    return serve()


def import_all(options: argparse.Namespace, output: int, imports: Imports) -> tuple[Callable[[], Any], ModuleList]:
    modules = installed_modules(options.state)
    if modules.is_empty:
        raise NothingToImportError("no modules are recorded yet")
    client.install(link(options, output))
    inspection.install()
    serve = command()
    # The command forks nobody; what it must not do is hold a GPU that nobody has asked for yet.
    dirty = preload(modules.to_preload(COMMAND), cleanliness.gpu_in_use, imports.begin)
    why = cleanliness.gpu_in_use()
    if dirty:
        modules.leave_out(dirty)
        raise DirtyError(f"{why} after the import of {dirty}")
    if why:
        raise PlainError(f"{why} after the import of vLLM's command")
    return serve, modules


def begin_anew(options: argparse.Namespace, variables: dict[str, str], error: Exception) -> NoReturn:
    """Without the module that is to blame, or without any: no memory for what is of no use, and no GPU, is kept while
    nobody has asked for a start.
    """
    arguments = ["park", *places(options), "--socket", str(options.socket)]
    if isinstance(error, DirtyError) and options.tries < forkserver.CLEANING_TRIES:
        arguments += ["--tries", str(options.tries + 1)]
    else:
        arguments += ["--because", reason(error)]
    os.execve(sys.executable, [sys.executable, str(LAUNCHER), *arguments], variables)


def fall_back(options: argparse.Namespace, go: Go, module: str | None, quiet: Quiet, score: int) -> None:
    """From beside the import that hangs; all of this process ends by the exec."""
    if module:
        with contextlib.suppress(Exception):
            ModuleList(options.state, version()).leave_out(module)
    quiet.end()
    oom.adjust(score)
    plain(options.vllm, go.argv, go.environment, f"the import of {module or 'its command'} hangs")


class Quiet:
    """Output goes nowhere meanwhile: the log belongs to the engine that runs."""

    def __enter__(self) -> Self:
        self.kept = [os.dup(1), os.dup(2)]
        self.output = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        for descriptor in (1, 2):
            os.dup2(self.output, descriptor)
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, kept in enumerate(self.kept, start=1):
            os.dup2(kept, descriptor)
            os.close(kept)


def installed_modules(state: Path) -> ModuleList:
    modules = ModuleList(state, version())
    modules.load()
    return modules


def version() -> str:
    """Raises PackageNotFoundError."""
    return importlib.metadata.version("vllm")


def record(modules: ModuleList) -> None:
    """A start like any other, which the next one will know the modules of."""
    say(f"plain, because no modules are recorded for vLLM {version()} yet; this start records them")
    os.environ[recorder.FOLDER_VARIABLE] = str(modules.records)
    recorder.start(modules.records, COMMAND)


def command() -> Callable[[], Any]:
    from vllm.entrypoints.cli.main import main as serve  # noqa: PLC0415 - seconds of imports

    return serve


def again(options: argparse.Namespace, argv: list[str], variables: dict[str, str], why: str) -> NoReturn:
    """A parked start that came to nothing may still find everything in order when it is made anew."""
    say(f"not standby, because {why}")
    arguments = ["preload", *places(options), "--", *argv]
    os.execve(sys.executable, [sys.executable, str(LAUNCHER), *arguments], variables)


def places(options: argparse.Namespace) -> list[str]:
    return ["--vllm", str(options.vllm), "--state", str(options.state)]


def plain(vllm: Path, argv: list[str], variables: dict[str, str], why: str) -> NoReturn:
    say(f"plain, because {why}")
    recorder.stop()
    os.execve(vllm, [str(vllm), *argv], variables)


def reason(error: Exception) -> str:
    return str(error) if isinstance(error, PlainError) else f"{type(error).__name__}: {error}"
