"""The model as it must not lie in a store, one fault each, and what a preflight has to say to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from crosslogic.model import ensure_model
from crosslogic.s3 import S3Server

INDEX = "model.safetensors.index.json"


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def bin_only(folder: Path) -> None:
    for shard in shards(folder):
        shard.rename(shard.with_suffix(".bin"))
    (folder / INDEX).unlink()


def missing_shard(folder: Path) -> None:
    shards(folder)[1].unlink()


def missing_shard_without_index(folder: Path) -> None:
    missing_shard(folder)
    (folder / INDEX).unlink()


def truncated_shard(folder: Path) -> None:
    truncate(shards(folder)[-1], -1)


def shard_cut_in_its_header(folder: Path) -> None:
    truncate(shards(folder)[0], 100)


def empty_shard(folder: Path) -> None:
    truncate(shards(folder)[0], 0)


def page_instead_of_shard(folder: Path) -> None:
    shards(folder)[0].write_text("<!DOCTYPE html><html><body>Please sign in</body></html>" * 100)


def no_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()


def stray_weights(folder: Path) -> None:
    shutil.copy(shards(folder)[0], folder / "consolidated.safetensors")


def no_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def broken_index(folder: Path) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": {}}))


def untouched(folder: Path) -> None:
    pass


FATAL: dict[Callable[[Path], None], str] = {
    bin_only: "weights_format",
    missing_shard: "weights_incomplete",
    missing_shard_without_index: "weights_incomplete",
    truncated_shard: "weights_incomplete",
    shard_cut_in_its_header: "weights_incomplete",
    empty_shard: "weights_incomplete",
    page_instead_of_shard: "weights_format",
    no_configuration: "model_missing",
}
"""Class of the failure."""

WARNED: dict[Callable[[Path], None], str] = {
    stray_weights: "strays",
    no_tokenizer: "tokenizer",
    broken_index: "shards",
}
"""The check that warns; the engine may be started."""


def upload(store: S3Server, change: Callable[[Path], None], scratch: Path) -> str:
    """Puts a changed copy of the model into the store; answers its name."""
    name = change.__name__.replace("_", "-")
    folder = scratch / name
    shutil.copytree(ensure_model(), folder)
    change(folder)
    model = f"acme/{name}"
    store.upload(folder, model)
    return model


def truncate(file: Path, size: int) -> None:
    """To `size` bytes; below zero, by as many."""
    content = file.read_bytes()
    file.write_bytes(content[:size])
