"""The virtual environment of the operator's scripts, and how a script comes to run in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from crosslogic import install
from crosslogic.console import Console
from crosslogic.operator.outcome import Exit
from crosslogic.paths import SCRIPTS

REQUIREMENTS = SCRIPTS / "requirements" / "operator.txt"


def ensure(console: Console) -> Path:
    """boto3, huggingface_hub, safetensors, s3fs, rich; 100 MB."""
    folder = install.versioned_folder("operator", REQUIREMENTS)

    def fill() -> dict[str, str]:
        install.pip_install(folder, ["--no-deps", "-r", str(REQUIREMENTS)], "operator tools", REQUIREMENTS, console)
        return {}

    install.ensure_environment(folder, fill, console)
    return folder


def enter(module: str, arguments: list[str], **secrets: str | None) -> None:
    """Returns in the environment, where it executes the module again when it is not there yet.

    `arguments` are passed on, `secrets` too, as environment variables: argv is readable by everyone on the machine.
    """
    try:
        folder = ensure(Console())
    except install.InstallError as error:
        Console().line(f"error: {error}")
        raise SystemExit(Exit.UNAVAILABLE) from None
    given = {name: value for name, value in secrets.items() if value}
    if Path(sys.prefix) == folder and not given:
        return
    library = str(SCRIPTS / "lib")
    python = str(folder / "bin" / "python")
    sys.stdout.flush()
    os.execve(python, [python, "-m", module, *arguments], {**os.environ, "PYTHONPATH": library, **given})
