"""What is computed and not tried: R2's rules for parts, what an ETag says, how many clients a link needs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from crosslogic.operator import parts, savings, tuning
from crosslogic.operator.loading import scratch_folder
from crosslogic.operator.outcome import OperatorError

MIB = 1 << 20


@pytest.mark.parametrize("size", [1, 5 * MIB, 32 * MIB + 1, 16_060_556_376, 312 << 30, 4 << 40])
def test_parts_keep_the_rules(size: int) -> None:
    pieces = parts.cut(size, parts.part_size(size))
    assert sum(piece.length for piece in pieces) == size
    assert len(pieces) <= 10_000
    assert len({piece.length for piece in pieces[:-1]}) <= 1
    assert pieces[-1].length <= pieces[0].length <= 5 << 30
    assert all(piece.length >= 5 * MIB for piece in pieces[:-1])


def test_file_that_fits_into_no_upload_is_refused() -> None:
    with pytest.raises(ValueError, match="10000 parts"):
        parts.part_size(60 << 40)


def test_composite_etag_is_the_one_of_the_documentation() -> None:
    """https://developers.cloudflare.com/r2/objects/multipart-objects, the example with two parts."""
    digests = [bytes.fromhex("bce6bf66aeb76c7040fdd5f4eccb78e6"), bytes.fromhex("8165449fc15bbf43d3b674595cbcc406")]
    assert parts.composite_etag(digests) == "f77dc0eecdebcd774a2a22cb393ad2ff-2"


def test_etag_tells_a_file_from_another(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = bytes(range(256)) * 50_000
    path.write_bytes(content)
    whole = hashlib.md5(content, usedforsecurity=False).hexdigest()
    # Sent by the AWS tools: in parts of 8 MiB, whatever ours are.
    pieces = [content[: 8 * MIB], content[8 * MIB :]]
    composite = parts.composite_etag(parts.md5(piece) for piece in pieces)
    assert parts.etag_says_same(path, whole, 32 * MIB) is True
    assert parts.etag_says_same(path, composite, 32 * MIB) is True
    path.write_bytes(content[:-1] + b"?")
    assert parts.etag_says_same(path, whole, 32 * MIB) is False
    assert parts.etag_says_same(path, composite, 32 * MIB) is False
    assert parts.etag_says_same(path, "", 32 * MIB) is None
    assert parts.etag_says_same(path, "f77dc0eecdebcd774a2a22cb393ad2ff-77", 32 * MIB) is None


def test_more_delay_and_thinner_connections_take_more_clients() -> None:
    near = tuning.choose(tuning.Link(0.001, 800e6, 900e6, 16))
    far = tuning.choose(tuning.Link(0.050, 20e6, 320e6, 16, True))
    very_far = tuning.choose(tuning.Link(0.600, 20e6, 320e6, 16, True))
    assert near.concurrency == 1
    assert near.concurrency < far.concurrency < very_far.concurrency <= tuning.MOST_CLIENTS
    assert tuning.choose(tuning.Link(0.050, 20e6, 320e6, 16, True), nic_bytes_per_s=100e6).concurrency < far.concurrency


def test_probe_measures_what_the_store_does() -> None:
    reads: list[int] = []

    def read(_offset: int, length: int) -> bytes:
        reads.append(length)
        return bytes(length)

    link = tuning.probe(read, 1000)
    assert link.total_bytes_per_s >= link.flow_bytes_per_s > 0
    assert max(reads) == 1000


def test_savings_follow_from_the_prices_given() -> None:
    prices = savings.Prices(r2_storage_gb_month=1, r2_reads_million=0, egress_gb=0.5, gpu_hour=2)
    saved = savings.extrapolate(100, 40, 10, 2_000_000_000, prices)
    assert saved["saved_hours_per_month"] == 5
    assert saved["saved_gpu_usd_per_month"] == 10
    assert saved["r2_usd_per_month"] == 2
    assert saved["egress_usd_per_month"] == 300


def test_disk_that_is_too_small_is_told_before_the_download(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="GB free"), scratch_folder(tmp_path, 1 << 60):
        raise AssertionError("it went on")
