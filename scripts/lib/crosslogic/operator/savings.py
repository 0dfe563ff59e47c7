"""What faster loads save, and what the bytes cost. Prices are parameters, with the day they were looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

DAYS = 30
READ_CHUNK = 8 << 20


@dataclass(frozen=True)
class Prices:
    """US dollars."""

    r2_storage_gb_month: float = 0.015
    r2_reads_million: float = 0.36
    """Both: Cloudflare's R2 pricing page for standard storage, as of 2026; egress is free there."""
    egress_gb: float = 0.09
    """Of a cloud that charges for it: what the project's first guide assumed, as of 2025; not checked since."""
    gpu_hour: float | None = None


def extrapolate(
    standard_s: float, tuned_s: float, launches_per_day: float, size: int, prices: Prices
) -> dict[str, Any]:
    launches = launches_per_day * DAYS
    saved = standard_s - tuned_s
    gigabytes = size / 1e9
    reads = launches * -(-size // READ_CHUNK)
    hours = saved * launches / 3600
    return {
        "launches_per_day": launches_per_day,
        "saved_s_per_launch": round(saved, 3),
        "saved_hours_per_month": round(hours, 2),
        "saved_gpu_usd_per_month": round(hours * prices.gpu_hour, 2) if prices.gpu_hour is not None else None,
        "r2_usd_per_month": round(gigabytes * prices.r2_storage_gb_month + reads / 1e6 * prices.r2_reads_million, 2),
        "egress_usd_per_month": round(gigabytes * launches * prices.egress_gb, 2),
        "prices": asdict(prices),
    }
