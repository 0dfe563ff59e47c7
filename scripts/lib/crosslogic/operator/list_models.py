"""Which models are in the bucket, how large they are, and whether they are whole.

A model is a prefix with a config.json, an index or safetensors in it. Whole means: every shard that its index names is
there, each as long as its own header says, and no other *.safetensors beside them. The exit code is 65 when one is not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from typing import Any

from crosslogic.console import Console
from crosslogic.operator import environment, outcome, settings
from crosslogic.operator.outcome import Exit, OperatorError
from crosslogic.operator.report import human_size

EPILOG = f"""{settings.SETTINGS_HELP}

{
    outcome.exit_codes(
        Exit.OK, Exit.USAGE, Exit.UNSOUND, Exit.NOT_FOUND, Exit.UNAVAILABLE, Exit.REFUSED, Exit.SETTINGS
    )
}"""  # fmt: skip


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/list-models.sh",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("prefix", nargs="?", default="", help="only models below this: org, org/model, s3://bucket/org")
    parser.add_argument("--json", action="store_true", help="a JSON list on standard output")
    settings.add_option(parser)
    return parser.parse_args(arguments)


def models_of(entries: list[Any]) -> dict[str, dict[str, Any]]:
    """Prefix to its files, by path below it. A model's subfolders belong to it."""
    roots = sorted(
        {
            folder
            for entry in entries
            for folder, _, name in [entry.key.rpartition("/")]
            if folder and (name in {"config.json", "model.safetensors.index.json"} or name.endswith(".safetensors"))
        }
    )
    tops: list[str] = []
    for root in roots:
        if not any(root.startswith(top + "/") for top in tops):
            tops.append(root)
    models: dict[str, dict[str, Any]] = defaultdict(dict)
    for entry in entries:
        if top := next((top for top in tops if entry.key.startswith(top + "/")), None):
            models[top][entry.key.removeprefix(top + "/")] = entry
    return dict(models)


def describe(store: Any, prefix: str, files: dict[str, Any]) -> dict[str, Any]:
    from crosslogic.operator.remote import examine_remote  # noqa: PLC0415

    found = examine_remote(store, prefix, files)
    return {
        "model": prefix,
        "address": store.address(prefix),
        "files": len(files),
        "bytes": sum(entry.size for entry in files.values()),
        **found.as_json(),
    }


def show(models: list[dict[str, Any]], console: Console) -> None:
    from rich import box  # noqa: PLC0415
    from rich.console import Console as RichConsole  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD)
    for title in ("model", "size", "weights", "shards", "tensors", "state"):
        table.add_column(title, justify="right" if title not in {"model", "state"} else "left", overflow="fold")
    for model in models:
        fatal = [finding["message"] for finding in model["findings"] if finding["level"] == "fatal"]
        table.add_row(
            model["model"],
            human_size(model["bytes"]),
            human_size(model["weight_bytes"]),
            f"{model['shards']}/{model['expected_shards']}",
            str(model["tensors"]),
            "complete" if model["complete"] else "BROKEN: " + "; ".join(fatal),
        )
    # In a pipe rich would take 80 columns, and the names are longer.
    width = None if sys.stdout.isatty() else 200
    RichConsole(width=width, highlight=False).print(table)
    console.line(f"{len(models)} models, {human_size(sum(model['bytes'] for model in models))}")


def command(options: argparse.Namespace, console: Console) -> Exit:
    bucket, prefix = options.prefix.removeprefix("s3://").partition("/")[::2] if "://" in options.prefix else ("", "")
    chosen = settings.load(options.env_file, bucket)
    from crosslogic.operator.store import Store  # noqa: PLC0415

    store = Store(chosen)
    wanted = (prefix or ("" if bucket else options.prefix)).strip("/")
    entries = [entry for entry in store.list(wanted) if not wanted or f"{entry.key}/".startswith(f"{wanted}/")]
    models = [describe(store, name, files) for name, files in sorted(models_of(entries).items())]
    if wanted and not models:
        raise OperatorError(Exit.NOT_FOUND, f"there is no model at {store.address(wanted)}")
    if options.json:
        print(json.dumps(models, indent=1))
    else:
        show(models, console)
    return Exit.OK if all(model["complete"] for model in models) else Exit.UNSOUND


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    environment.enter("crosslogic.operator.list_models", arguments)
    console = Console(sys.stderr)
    return outcome.run(lambda: command(options, console), console)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
