"""A model in the bucket."""

from __future__ import annotations

from crosslogic.operator.checkpoint import Checkpoint, examine
from crosslogic.operator.store import Entry, Store


def model_files(store: Store, prefix: str) -> dict[str, Entry]:
    """By path below the model."""
    start = prefix.rstrip("/") + "/"
    return {entry.key.removeprefix(start): entry for entry in store.list(start) if entry.key != start}


def examine_remote(store: Store, prefix: str, files: dict[str, Entry]) -> Checkpoint:
    """The index, and of each shard its header: one ranged read each."""
    start = prefix.rstrip("/") + "/"
    sizes = {name: entry.size for name, entry in files.items()}
    return examine(sizes, lambda name, offset, length: store.read(start + name, offset, length))
