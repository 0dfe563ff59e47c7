"""Multipart arithmetic by R2's rules, and what an ETag says about a file.

Parts are 5 MiB to 5 GiB, at most 10 000, all equal but the last. The ETag of an object that was sent in parts is the
MD5 of the parts' MD5s, a hyphen, and their number: https://developers.cloudflare.com/r2/objects/multipart-objects
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20
SMALLEST_PART = 5 * MEBIBYTE
LARGEST_PART = 5 << 30
MOST_PARTS = 10_000
USUAL_PART = 32 * MEBIBYTE
# What other tools cut their uploads into (boto3 and aws 8, rclone 5, s3fs 50, Hugging Face's and ours).
USUAL_SIZES = [n * MEBIBYTE for n in (5, 8, 10, 15, 16, 32, 50, 64, 100, 128, 256, 512, 1024)]

MD5 = re.compile(r"[0-9a-f]{32}")
COMPOSITE = re.compile(r"[0-9a-f]{32}-(\d+)")


@dataclass(frozen=True)
class Part:
    number: int
    """From 1."""
    offset: int
    length: int


def part_size(file_size: int, wanted: int = USUAL_PART) -> int:
    """`wanted`, or the whole mebibytes it takes to get along with 10 000 parts."""
    least = -(-file_size // MOST_PARTS)
    size = max(wanted, SMALLEST_PART, -(-least // MEBIBYTE) * MEBIBYTE)
    if size > LARGEST_PART:
        raise ValueError(f"{file_size} bytes do not fit into {MOST_PARTS} parts of 5 GiB")
    return size


def cut(file_size: int, size: int) -> list[Part]:
    offsets = range(0, file_size, size) if file_size else [0]
    return [Part(number, offset, min(size, file_size - offset)) for number, offset in enumerate(offsets, 1)]


def read_part(path: Path, part: Part) -> bytes:
    with path.open("rb") as file:
        file.seek(part.offset)
        return file.read(part.length)


def md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def composite_etag(digests: Iterable[bytes]) -> str:
    parts = list(digests)
    return f"{md5(b''.join(parts)).hex()}-{len(parts)}"


def etag_says_same(path: Path, etag: str, size: int) -> bool | None:
    """None where this ETag says nothing: the store gives none, or it is not made of MD5s of parts of a usual size."""
    if MD5.fullmatch(etag):
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == etag
    composite = COMPOSITE.fullmatch(etag)
    if not composite:
        return None
    candidates = candidate_sizes(path.stat().st_size, int(composite[1]), size)
    if not candidates:
        return None
    return any(composite_etag(digests(path, candidate)) == etag for candidate in candidates)


def candidate_sizes(file_size: int, count: int, likely: int) -> list[int]:
    """Part sizes that give this many parts, the likely one first."""
    sizes = dict.fromkeys([likely, part_size(file_size), *USUAL_SIZES])
    return [size for size in sizes if len(cut(file_size, size)) == count]


def digests(path: Path, size: int) -> Iterator[bytes]:
    for part in cut(path.stat().st_size, size):
        yield md5(read_part(path, part))
