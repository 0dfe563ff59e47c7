"""`scripts/warm-cdn`: fetches what is worth caching, and tells what the cache said."""

from __future__ import annotations

import pytest
from cdn_stand_in import CDN
from workbench import MODEL, Workbench, write_model

SETTINGS, VERIFICATION = 78, 70


@pytest.fixture
def uploaded(bench: Workbench) -> Workbench:
    bench.store_model(write_model(bench.folder / "model"))
    return bench


def test_small_files_are_in_the_cache_afterwards_and_weights_were_not_fetched(uploaded: Workbench) -> None:
    with CDN(uploaded.server.root / uploaded.bucket) as cdn:
        ran = uploaded.run("warm-cdn", MODEL, "--json", R2_CDN_DOMAIN=cdn.url)
    assert ran.code == 0, ran.err
    assert len(ran.json) == 4
    assert all(file["cached"] and file["intact"] for file in ran.json)
    assert {(file["first"]["cache_status"], file["second"]["age"]) for file in ran.json} == {("MISS", 7)}
    assert not [path for path in cdn.requested if path.endswith(".safetensors")]


def test_cache_that_keeps_nothing_is_told(uploaded: Workbench) -> None:
    with CDN(uploaded.server.root / uploaded.bucket, caches=False) as cdn:
        ran = uploaded.run("warm-cdn", MODEL, R2_CDN_DOMAIN=cdn.url)
    assert ran.code == 0
    assert "DYNAMIC" in ran.err
    assert "cache rule" in ran.err


def test_cache_with_another_version_is_told(uploaded: Workbench) -> None:
    with CDN(uploaded.server.root / uploaded.bucket, cut=1) as cdn:
        ran = uploaded.run("warm-cdn", MODEL, R2_CDN_DOMAIN=cdn.url)
    assert ran.code == VERIFICATION
    assert "purged" in ran.err


def test_without_a_domain_there_is_nothing_to_warm(bench: Workbench) -> None:
    ran = bench.run("warm-cdn", MODEL)
    assert ran.code == SETTINGS
    assert "R2_CDN_DOMAIN" in ran.err
