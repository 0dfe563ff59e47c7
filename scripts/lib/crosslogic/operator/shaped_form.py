"""How long and how wide the shaped link's measurement is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """How long the measurement is; the link's numbers are slow, so that two cores are not the link."""

    link_bytes_per_s: float = 40_000_000
    connection_bytes_per_s: float = 500_000
    shards: int = 9
    tensors: int = 10
    tensor_bytes: int = 10_000_000
    sweep: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    runs: int = 5
    downloads: int = 2
    """Paced by the link alone, so two tell as much as five."""
    download_connections: int = 10

    @property
    def bytes(self) -> int:
        return self.shards * self.tensors * self.tensor_bytes


SHORT = Form(
    link_bytes_per_s=40_000_000, connection_bytes_per_s=2_000_000, shards=4, tensors=8, tensor_bytes=5_000_000,
    sweep=(1, 8), runs=1, downloads=1, download_connections=4,
)  # fmt: skip
"""For tests: the same parts, a minute instead of half an hour; its ratios are those of this link and no other."""
