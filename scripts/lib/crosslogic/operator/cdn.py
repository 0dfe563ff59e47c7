"""A file of the bucket, through the domain that Cloudflare's cache stands in front of."""

from __future__ import annotations

import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

# Plain Python's name is refused by some of Cloudflare's bot rules.
USER_AGENT = "crosslogic-warm-cdn/1"


@dataclass(frozen=True)
class Fetched:
    status: int
    size: int
    seconds: float
    cache_status: str
    """Cloudflare's `cf-cache-status`: HIT, MISS, EXPIRED, BYPASS, DYNAMIC; empty where it was no Cloudflare."""
    age: int | None
    """Seconds it has been in the cache."""


def base_url(domain: str) -> str:
    """R2_CDN_DOMAIN is a domain; an address with its scheme is taken as it is."""
    return domain.rstrip("/") if "://" in domain else f"https://{domain.rstrip('/')}"


def fetch(url: str, seconds: float = 30) -> Fetched:
    """Any status is an answer. Raises `OSError` (URLError is one) where none comes."""
    started = time.monotonic()
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as response:
            status, headers, size = response.status, response.headers, 0
            while chunk := response.read(1 << 20):
                size += len(chunk)
    except urllib.error.HTTPError as error:
        with error:
            status, headers, size = error.code, error.headers, 0
    age = headers.get("Age", "")
    return Fetched(
        status,
        size,
        time.monotonic() - started,
        headers.get("cf-cache-status", ""),
        int(age) if age.isdigit() else None,
    )


def url_of(base: str, key: str) -> str:
    return f"{base}/{urllib.parse.quote(key)}"
