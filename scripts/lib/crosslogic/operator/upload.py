"""Sends the files of a model, in parts that survive an interruption, and proves that they arrived."""

from __future__ import annotations

import base64
import mimetypes
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from crosslogic.operator import parts
from crosslogic.operator.checkpoint import INDEX
from crosslogic.operator.outcome import Exit, OperatorError
from crosslogic.operator.parts import Part
from crosslogic.operator.store import Entry, Store

COMPARE_BYTES = 8 * parts.MEBIBYTE

Proof = Literal["etag", "read back"]
Progress = Callable[[str, int], None]
"""File name, bytes that are in the store now and were not before."""


@dataclass
class Sent:
    """What became of one file."""

    name: str
    bytes: int
    action: Literal["uploaded", "resumed", "present", "would upload"]
    parts_sent: int = 0
    parts_kept: int = 0
    verified: Proof | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def in_order(names: list[str]) -> list[str]:
    """Weights first, what makes the model look complete last: the index, then config.json."""
    return sorted(
        names, key=lambda name: (name == "config.json", name == INDEX, not name.endswith(".safetensors"), name)
    )


class Uploader:
    def __init__(self, store: Store, prefix: str, part_size: int, workers: int, progress: Progress) -> None:
        self.store = store
        self.prefix = prefix.rstrip("/") + "/"
        self.wanted_part_size = part_size
        self.pool = ThreadPoolExecutor(workers)
        self.progress = progress
        self.stopping = threading.Event()

    def close(self) -> None:
        """Nothing more is begun. Parts in flight are not waited for: half a part is no part, and no harm is done."""
        self.stopping.set()
        self.pool.shutdown(wait=False, cancel_futures=True)

    def is_present(self, path: Path, entry: Entry | None) -> Proof | None:
        """How it is known that the object has this very content; None where it has not."""
        if entry is None or entry.size != path.stat().st_size:
            return None
        same = parts.etag_says_same(path, entry.etag, self.part_size_for(path))
        if same is None:
            return "read back" if self.reads_back_same(path, entry.key) else None
        return "etag" if same else None

    def reads_back_same(self, path: Path, key: str) -> bool:
        """Byte for byte: for stores without MD5 ETags. Nothing is kept, so it costs the transfer and no memory."""

        def same(part: Part) -> bool:
            if self.stopping.is_set():
                return False
            return self.store.read(key, part.offset, part.length) == parts.read_part(path, part)

        pieces = parts.cut(path.stat().st_size, COMPARE_BYTES)
        if pieces[0].length == 0:
            return True
        return all(self.pool.map(same, pieces))

    def part_size_for(self, path: Path) -> int:
        return parts.part_size(path.stat().st_size, self.wanted_part_size)

    def send(self, name: str, path: Path) -> Sent:
        """Raises `OperatorError`: TRY_AGAIN where it broke off, VERIFICATION where something else arrived."""
        key = self.prefix + name
        try:
            if path.stat().st_size <= self.part_size_for(path):
                sent, etag = self.put(name, path, key)
            else:
                sent, etag = self.send_in_parts(name, path, key)
            sent.verified = self.verify(path, key, etag)
        except OperatorError as error:
            if error.code == Exit.UNAVAILABLE:
                raise OperatorError(
                    Exit.TRY_AGAIN, str(error), "Run it again; it continues where it stopped."
                ) from error
            raise
        return sent

    def put(self, name: str, path: Path, key: str) -> tuple[Sent, str]:
        content = path.read_bytes()
        digest = parts.md5(content)
        with self.store.explained(f"write {self.store.address(key)}"):
            self.store.client.put_object(
                Bucket=self.store.bucket,
                Key=key,
                Body=content,
                ContentMD5=base64.b64encode(digest).decode(),
                ContentType=content_type(name),
            )
        self.progress(name, len(content))
        return Sent(name, len(content), "uploaded", parts_sent=1), digest.hex()

    def send_in_parts(self, name: str, path: Path, key: str) -> tuple[Sent, str]:
        size = path.stat().st_size
        upload_id, part_bytes, kept = self.unfinished(path, key)
        if not upload_id:
            part_bytes = self.part_size_for(path)
            upload_id = self.begin(name, key)
        pieces = parts.cut(size, part_bytes)
        self.progress(name, sum(piece.length for piece in pieces if piece.number in kept))

        def send(piece: Part) -> bytes:
            if piece.number in kept:
                return kept[piece.number]
            if self.stopping.is_set():
                raise OperatorError(Exit.TRY_AGAIN, f"{name} was not sent whole")
            digest = self.send_part(path, key, upload_id, piece)
            self.progress(name, piece.length)
            return digest

        digests = list(self.pool.map(send, pieces))
        with self.store.explained(f"complete {self.store.address(key)}"):
            self.store.client.complete_multipart_upload(
                Bucket=self.store.bucket,
                Key=key,
                UploadId=upload_id,
                MultipartUpload={
                    "Parts": [
                        {"PartNumber": piece.number, "ETag": f'"{digest.hex()}"'}
                        for piece, digest in zip(pieces, digests, strict=True)
                    ]
                },
            )
        action: Literal["resumed", "uploaded"] = "resumed" if kept else "uploaded"
        return Sent(name, size, action, len(pieces) - len(kept), len(kept)), parts.composite_etag(digests)

    def begin(self, name: str, key: str) -> str:
        with self.store.explained(f"begin {self.store.address(key)}"):
            answer = self.store.client.create_multipart_upload(
                Bucket=self.store.bucket, Key=key, ContentType=content_type(name)
            )
        return answer["UploadId"]

    def send_part(self, path: Path, key: str, upload_id: str, piece: Part) -> bytes:
        """The store compares the part with its MD5 before it keeps it."""
        content = parts.read_part(path, piece)
        digest = parts.md5(content)
        with self.store.explained(f"write part {piece.number} of {self.store.address(key)}"):
            self.store.client.upload_part(
                Bucket=self.store.bucket,
                Key=key,
                UploadId=upload_id,
                PartNumber=piece.number,
                Body=content,
                ContentMD5=base64.b64encode(digest).decode(),
            )
        return digest

    def unfinished(self, path: Path, key: str) -> tuple[str, int, dict[int, bytes]]:
        """The newest interrupted upload of this very file: its id, its part size, and the parts that can stay.

        An empty id where there is none that fits. Parts are believed only when their MD5 is that of the local bytes.
        """
        for upload_id in self.interrupted_uploads(key):
            held = self.held_parts(key, upload_id)
            if not held:
                continue
            size = held[1][0] if 1 in held else max(size for size, _ in held.values())
            if size < parts.SMALLEST_PART or -(-path.stat().st_size // size) > parts.MOST_PARTS:
                continue
            pieces = {piece.number: piece for piece in parts.cut(path.stat().st_size, size)}
            kept = {
                number: bytes.fromhex(etag)
                for number, (length, etag) in held.items()
                if number in pieces
                and length == pieces[number].length
                and parts.md5(parts.read_part(path, pieces[number])).hex() == etag
            }
            # A part that differs means another file: sending over it would be allowed, but nothing would be won.
            if len(kept) == len(held):
                return upload_id, size, kept
        return "", 0, {}

    def interrupted_uploads(self, key: str) -> list[str]:
        """Newest first."""
        try:
            with self.store.explained(f"look for interrupted uploads of {self.store.address(key)}"):
                pages = self.store.client.get_paginator("list_multipart_uploads").paginate(
                    Bucket=self.store.bucket, Prefix=key
                )
                uploads = [item for page in pages for item in page.get("Uploads", []) if item["Key"] == key]
        except OperatorError as error:
            # A token may be allowed to write and not to list; then there is nothing to continue. And there are stores
            # that answer NoSuchUpload where nothing was ever begun.
            if error.code in {Exit.REFUSED, Exit.NOT_FOUND}:
                return []
            raise
        return [item["UploadId"] for item in sorted(uploads, key=lambda item: item["Initiated"], reverse=True)]

    def held_parts(self, key: str, upload_id: str) -> dict[int, tuple[int, str]]:
        """Number to size and ETag."""
        with self.store.explained(f"look at an interrupted upload of {self.store.address(key)}"):
            pages = self.store.client.get_paginator("list_parts").paginate(
                Bucket=self.store.bucket, Key=key, UploadId=upload_id
            )
            return {
                item["PartNumber"]: (item["Size"], item["ETag"].strip('"'))
                for page in pages
                for item in page.get("Parts", [])
            }

    def verify(self, path: Path, key: str, etag: str) -> Proof:
        entry = self.store.head(key)
        if entry is not None and entry.size == path.stat().st_size:
            if entry.etag == etag:
                return "etag"
            if self.reads_back_same(path, key):
                return "read back"
        raise OperatorError(
            Exit.VERIFICATION,
            f"{self.store.address(key)} is not what was sent ({entry.size if entry else 'no'} bytes, "
            f"{path.stat().st_size} sent)",
            "Run it again; if it happens twice, something between here and the store changes what it carries.",
        )


def content_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
