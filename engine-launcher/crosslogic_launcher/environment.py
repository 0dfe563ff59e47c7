"""Which differences between the environment of the imports and that of the start matter."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

LATE_PREFIXES = ("AWS_", "RUNAI_STREAMER_", "CROSSLOGIC_", "MEMORY_PRESSURE_")
EARLY = ("RUNAI_STREAMER_LOG_LEVEL", "RUNAI_STREAMER_LOG_TO_STDERR")
"""Read by the streamer's library when it is loaded."""
LATE = frozenset(
    [
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
        # Of the service manager, for one process and not for what that does.
        *("INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "MANAGERPID", "NOTIFY_SOCKET", "SYSTEMD_EXEC_PID"),
        # Of the unit, whose spare one has others.
        *("RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY", "CONFIGURATION_DIRECTORY"),
        *("LIBDISPATCH_LOG", "PWD", "OLDPWD", "SHLVL", "_", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"),
    ]
)
SECRET_WORDS = frozenset(["KEY", "KEYS", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL", "CREDENTIALS"])

SECRET_ENDS = ("PASSWORD", "SECRET", "APIKEY")
"""Of words that are written in one, as in PGPASSWORD."""


def is_late(name: str) -> bool:
    """Whether it is read when it is needed, and not when a module is imported.

    What is not known to be late counts as read by an import: vLLM and torch decide much there.
    """
    if name in EARLY:
        return False
    return name in LATE or name.startswith(LATE_PREFIXES) or is_secret(name)


def is_secret(name: str) -> bool:
    """Secrets come with the go, never before; what uses them asks for them then. A path to one is no secret."""
    words = name.upper().split("_")
    is_named_so = not SECRET_WORDS.isdisjoint(words) or any(word.endswith(SECRET_ENDS) for word in words)
    return is_named_so and words[-1] != "PATH"


def holds_secret(variables: Mapping[str, str]) -> bool:
    """Whether one that imports read has the credentials of a user in an address."""
    return any("://" in value and "@" in value for value in early(variables).values())


def difference(parked: Mapping[str, str], wanted: Mapping[str, str]) -> str | None:
    """The first variable whose difference matters."""
    for name in sorted({*parked, *wanted}):
        if parked.get(name) != wanted.get(name) and not is_late(name):
            return name
    return None


def not_preloaded(wanted: Mapping[str, str]) -> str | None:
    """Why a forked process would lack a library that the loader gives a new one, as vLLM's CPU build has it."""
    libraries = wanted.get("LD_PRELOAD", "").replace(":", " ").split()
    if not libraries:
        return None
    loaded = Path("/proc/self/maps").read_text(errors="replace")
    for library in libraries:
        # A name without a folder is looked for by the loader.
        name = os.path.realpath(library) if "/" in library else "/" + library
        if f"{name}\n" not in loaded:
            return f"LD_PRELOAD brings {library}"
    return None


def early(variables: Mapping[str, str]) -> dict[str, str]:
    """What a process may know that imports for a start of which nothing else is known."""
    return {name: value for name, value in variables.items() if not is_late(name)}


def set_since(before: Mapping[str, str]) -> dict[str, str]:
    """What imports have set: modules that are imported already will not set it again."""
    return {name: value for name, value in os.environ.items() if before.get(name) != value}


def with_imports(wanted: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """What a process of that environment has after its imports; `before` is what ours were made with."""
    changes = set_since(before)
    return {**changes, **wanted, **early(changes)}


def become(wanted: Mapping[str, str]) -> None:
    """Through `os.environ`, which tells the C library too."""
    for name in [name for name in os.environ if name not in wanted]:
        del os.environ[name]
    os.environ.update(wanted)
