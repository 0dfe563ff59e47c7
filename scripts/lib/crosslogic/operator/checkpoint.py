"""Is a model whole? The same questions for a folder and for a prefix of a bucket.

They matter because the engine does not ask them: vLLM with the Run:ai streamer takes every top-level *.safetensors of
the prefix, ignores the index, and serves garbage when a shard is missing.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal

INDEX = "model.safetensors.index.json"
HEADER_LIMIT = 100_000_000
"""The format's own limit for the JSON header, in bytes."""
FIRST_READ = 64 << 10
"""Enough for the header of nearly every shard, so that one request is."""

NUMBERED = re.compile(r"(?P<stem>.+)-(?P<number>\d{5,6})-of-(?P<total>\d{5,6})\.safetensors")
RANKED = re.compile(r"model-rank-(?P<rank>\d+)-part-(?P<part>\d+)\.safetensors")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json", "tiktoken.model", "vocab.txt")
# What other frameworks call weights: never streamed, never uploaded.
OTHER_WEIGHTS = re.compile(
    r".*\.(bin|pt|pth|ckpt|gguf|ggml|h5|msgpack|onnx|onnx_data|ot|tflite|mlmodel|npz|tensors|pdparams)", re.IGNORECASE
)

Level = Literal["fatal", "warn"]
Read = Callable[[str, int, int], bytes]
"""File name, offset, length: the bytes, fewer at the end of the file."""


@dataclass(frozen=True)
class Finding:
    level: Level
    code: str
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Shard:
    name: str
    size: int
    header_bytes: int
    tensors: Mapping[str, int]
    """Name to bytes."""


@dataclass
class Checkpoint:
    """What a model consists of, and what is wrong with it."""

    layout: Literal["indexed", "single", "numbered", "ranks", "none"] = "none"
    shards: list[Shard] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """The weight files that the model should have."""
    stray: list[str] = field(default_factory=list)
    """Top-level *.safetensors that belong to nothing: they would be streamed as well."""
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not any(finding.level == "fatal" for finding in self.findings)

    @property
    def weight_bytes(self) -> int:
        return sum(shard.size for shard in self.shards)

    @property
    def tensor_count(self) -> int:
        return sum(len(shard.tensors) for shard in self.shards)

    @property
    def largest_tensor(self) -> int:
        return max((size for shard in self.shards for size in shard.tensors.values()), default=0)

    def fatal(self, code: str, message: str, remedy: str = "") -> None:
        self.findings.append(Finding("fatal", code, message, remedy))

    def warn(self, code: str, message: str, remedy: str = "") -> None:
        self.findings.append(Finding("warn", code, message, remedy))

    def as_json(self) -> dict[str, Any]:
        return {
            "layout": self.layout,
            "complete": self.is_sound,
            "shards": len(self.shards),
            "expected_shards": len(self.expected),
            "weight_bytes": self.weight_bytes,
            "tensors": self.tensor_count,
            "largest_tensor_bytes": self.largest_tensor,
            "findings": [vars(finding) for finding in self.findings],
        }


class HeaderError(Exception):
    """Why these bytes are no safetensors file."""


def examine(sizes: Mapping[str, int], read: Read, parallel: int = 16) -> Checkpoint:
    """`sizes`: every file, by its path below the model, with its bytes. Reads the index and the shards' headers."""
    found = Checkpoint()
    weights = sorted(name for name in sizes if name.endswith(".safetensors") and "/" not in name)
    weight_map = choose_layout(found, sizes, weights, read)
    missing = [name for name in found.expected if name not in sizes]
    for name in missing:
        found.fatal("missing_shard", f"{name} is not there", "Upload the model again; the index names it.")
    read_headers(found, sizes, [name for name in found.expected if name in sizes], read, parallel)
    if weight_map:
        compare_with_index(found, weight_map)
    found.stray = [name for name in weights if name not in found.expected]
    for name in found.stray:
        found.fatal(
            "stray_weights",
            f"{name} belongs to no part of the model and would be streamed too",
            "Remove it: upload-model-to-r2.py --delete-stray does.",
        )
    check_other_files(found, sizes)
    return found


def choose_layout(found: Checkpoint, sizes: Mapping[str, int], weights: list[str], read: Read) -> dict[str, str]:
    """Sets the layout and the files expected; returns the index's map from tensor to file, empty without an index."""
    if INDEX in sizes:
        found.layout = "indexed"
        weight_map = read_index(found, read(INDEX, 0, sizes[INDEX]))
        found.expected = sorted(set(weight_map.values()))
        return weight_map
    ranked = [name for name in weights if RANKED.fullmatch(name)]
    numbered = [name for name in weights if NUMBERED.fullmatch(name)]
    if ranked:
        found.layout = "ranks"
        found.expected = expected_ranks(found, ranked)
    elif numbered:
        found.layout = "numbered"
        found.expected = expected_numbers(numbered)
        found.warn("no_index", f"there is no {INDEX}; only the file names say how many shards there are")
    elif "model.safetensors" in weights or len(weights) == 1:
        found.layout = "single"
        found.expected = ["model.safetensors" if "model.safetensors" in weights else weights[0]]
    else:
        others = sorted(name for name in sizes if OTHER_WEIGHTS.fullmatch(name))
        only = f", only {', '.join(others[:3])}" if others else ""
        found.fatal(
            "no_safetensors",
            f"no safetensors weights at the top level{only}",
            "Convert the model to safetensors first; the streamer reads nothing else.",
        )
    return {}


def read_index(found: Checkpoint, content: bytes) -> dict[str, str]:
    try:
        weight_map = json.loads(content)["weight_map"]
        if not weight_map or not all(isinstance(name, str) for name in weight_map.values()):
            raise ValueError("its weight_map is empty or maps to something else than file names")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found.fatal("bad_index", f"{INDEX} cannot be read: {error!r}", "Get it again from where the model came from.")
        return {}
    if outside := sorted({name for name in weight_map.values() if "/" in name}):
        found.fatal("bad_index", f"{INDEX} names files in other folders: {', '.join(outside[:3])}")
    return weight_map


def expected_ranks(found: Checkpoint, names: list[str]) -> list[str]:
    """Every rank from 0 and, in each, every part from 0; what follows the last one that is there cannot be known."""
    parts: dict[int, int] = {}
    for name in names:
        match = RANKED.fullmatch(name)
        if match:
            rank, part = int(match["rank"]), int(match["part"])
            parts[rank] = max(parts.get(rank, 0), part)
    found.warn(
        "ranks",
        f"made for tensor parallelism over {max(parts) + 1} GPUs: needs --load-format runai_streamer_sharded",
    )
    return [
        f"model-rank-{rank}-part-{part}.safetensors"
        for rank in range(max(parts) + 1)
        for part in range(parts.get(rank, 0) + 1)
    ]


def expected_numbers(names: list[str]) -> list[str]:
    """From the first name: `model-00001-of-00004` says that there are four."""
    match = NUMBERED.fullmatch(names[0])
    if not match:
        return names
    width = len(match["total"])
    return [
        f"{match['stem']}-{number:0{width}}-of-{match['total']}.safetensors"
        for number in range(1, int(match["total"]) + 1)
    ]


def read_headers(found: Checkpoint, sizes: Mapping[str, int], names: list[str], read: Read, parallel: int) -> None:
    def one(name: str) -> Shard | HeaderError:
        try:
            return read_shard(name, sizes[name], read)
        except HeaderError as error:
            return error

    with ThreadPoolExecutor(parallel) as pool:
        for name, result in zip(names, pool.map(one, names), strict=True):
            if isinstance(result, Shard):
                found.shards.append(result)
            else:
                found.fatal("bad_shard", f"{name}: {result}", "Upload this file again from an intact copy.")


def read_shard(name: str, size: int, read: Read) -> Shard:
    """Raises `HeaderError` where the file is not as long as its own header says."""
    start = read(name, 0, FIRST_READ)
    if len(start) < 8:
        raise HeaderError(f"{size} bytes are too few for a safetensors file")
    length = struct.unpack("<Q", start[:8])[0]
    if length > HEADER_LIMIT or 8 + length > size:
        raise HeaderError(f"no safetensors file, or cut short: {size} bytes, its header alone would have {length}")
    if 8 + length > len(start):
        start += read(name, len(start), 8 + length - len(start))
    try:
        header = json.loads(start[8 : 8 + length])
        tensors = {tensor: tuple(entry["data_offsets"]) for tensor, entry in header.items() if tensor != "__metadata__"}
        end = max((stop for _, stop in tensors.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HeaderError(f"its header is no safetensors header: {error!r}") from error
    if 8 + length + end != size:
        raise HeaderError(f"it has {size} bytes, its header says {8 + length + end}")
    return Shard(name, size, 8 + length, {tensor: stop - start for tensor, (start, stop) in tensors.items()})


def compare_with_index(found: Checkpoint, weight_map: dict[str, str]) -> None:
    held = {shard.name: set(shard.tensors) for shard in found.shards}
    for name, tensors in held.items():
        wanted = {tensor for tensor, file in weight_map.items() if file == name}
        if absent := sorted(wanted - tensors):
            found.fatal(
                "missing_tensor",
                f"{name} lacks {len(absent)} tensors that the index puts there: {', '.join(absent[:3])}",
                "Index and shards are of different versions of the model: upload all of one version.",
            )
        if extra := sorted(tensors - wanted):
            found.warn("unlisted_tensor", f"{name} holds {len(extra)} tensors the index does not name: {extra[0]} …")


def check_other_files(found: Checkpoint, sizes: Mapping[str, int]) -> None:
    if "config.json" not in sizes:
        found.fatal("no_config", "there is no config.json", "vLLM cannot start without it.")
    if not any(name in sizes for name in TOKENIZERS):
        found.warn("no_tokenizer", f"no tokenizer: none of {', '.join(TOKENIZERS)}")
