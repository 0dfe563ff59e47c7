"""`docs/operator-guide.md`: its commands are commands, its options exist, its links lead somewhere."""

from __future__ import annotations

import importlib
import re
import shlex

import pytest
from crosslogic.paths import ROOT

GUIDE = ROOT / "docs" / "operator-guide.md"
MODULES = {
    "benchmark-model-loading.py": "benchmark_loading",
    "list-models.sh": "list_models",
    "setup-r2.sh": "setup_r2",
    "upload-model-to-r2.py": "upload_model",
    "warm-cdn": "warm_cdn",
}
COMMANDS = [
    line.partition("  #")[0]
    for block in re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("scripts/")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_one(command: str) -> None:
    script, *arguments = shlex.split(command)
    module = importlib.import_module(f"crosslogic.operator.{MODULES[script.removeprefix('scripts/')]}")
    assert (ROOT / script).stat().st_mode & 0o111
    module.parse(arguments)


def test_every_script_is_in_it() -> None:
    assert {shlex.split(command)[0].removeprefix("scripts/") for command in COMMANDS} == set(MODULES)


def test_options_and_files_it_names_exist() -> None:
    text = GUIDE.read_text()
    sources = "".join(path.read_text() for path in (ROOT / "scripts" / "lib" / "crosslogic" / "operator").glob("*.py"))
    assert [option for option in set(re.findall(r"`(--[a-z0-9-]+)`", text)) if f'"{option}"' not in sources] == [
        "--help"
    ]
    assert [link for link in re.findall(r"\]\(([^):]+)\)", text) if not (GUIDE.parent / link).exists()] == []
