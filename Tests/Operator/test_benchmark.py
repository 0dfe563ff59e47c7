"""`scripts/benchmark-model-loading.py`, its short form, with the real streamer."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from workbench import MODEL, Workbench, shard_name, write_model

UNSOUND, NOT_FOUND, REFUSED = 65, 66, 77
SCRIPT = "benchmark-model-loading.py"

pytestmark = pytest.mark.real


def test_every_way_delivers_every_tensor_and_is_compared(bench: Workbench) -> None:
    bench.store_model(write_model(bench.folder / "model", shard_bytes=1_000_000))
    chart = bench.folder / "chart.svg"
    ran = bench.run(
        SCRIPT, f"s3://{bench.bucket}/{MODEL}", "--json", "--runs", "1", "--concurrency", "1,2",
        "--chart", chart, "--scratch", bench.folder, "--launches-per-day", "24", "--gpu-price", "3",
        R2_BUCKET=None,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    report = ran.json
    tuned = f"tuned c={report['tuned']['concurrency']}"
    assert {(result["way"], result["state"]) for result in report["results"]} == {
        *(("standard", state) for state in ("cold", "disk", "warm")),
        *((way, state) for way in ("s3fs", "streamer c=1", "streamer c=2", tuned) for state in ("cold", "warm")),
    }
    assert report["not_measured"] == {}
    assert all(0 < result["median_s"] == result["min_s"] for result in report["results"])
    cold = {result["way"]: result for result in report["results"] if result["state"] == "cold"}
    assert cold["standard"]["download_median_s"] < cold["standard"]["median_s"]
    comparison = report["comparison"]
    assert comparison["speedup"] == pytest.approx(comparison["standard_s"] / comparison["tuned_s"], abs=0.01)
    assert comparison["tuned_over_best"] >= 1
    saved = report["savings"]
    assert saved["saved_hours_per_month"] == pytest.approx(comparison["saved_s"] * 24 * 30 / 3600, abs=0.01)
    assert saved["saved_gpu_usd_per_month"] == pytest.approx(saved["saved_hours_per_month"] * 3, abs=0.1)
    assert len(ET.parse(chart).getroot().findall("{http://www.w3.org/2000/svg}path")) == len(report["results"])
    # The downloads are gone, what was there is not.
    assert sorted(path.name for path in bench.folder.iterdir()) == ["chart.svg", "model"]


def test_table_is_in_the_words_of_the_guide(bench: Workbench) -> None:
    bench.store_model(write_model(bench.folder / "model"))
    ran = bench.run(SCRIPT, MODEL, "--runs", "1", "--concurrency", "1")
    assert ran.code == 0, ran.err
    for words in ("BENCHMARK RESULTS", "Standard loading:", "Run:ai Streamer:", "Speedup:", "as of"):
        assert words in ran.out


def test_model_that_is_not_whole_is_not_measured(bench: Workbench) -> None:
    """The streamer would load it without a word, and fast."""
    model = write_model(bench.folder / "model")
    (model / shard_name(1)).unlink()
    bench.store_model(model)
    ran = bench.run(SCRIPT, MODEL, "--json")
    assert (ran.code, ran.out) == (UNSOUND, "")
    assert shard_name(1) in ran.err


def test_wrong_key_and_wrong_model_are_told_at_once(bench: Workbench) -> None:
    assert bench.run(SCRIPT, "acme/none").code == NOT_FOUND
    assert bench.run(SCRIPT, "acme/none", R2_SECRET_KEY="wrong").code == REFUSED
