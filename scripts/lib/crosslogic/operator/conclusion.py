"""What the measured loads say: the comparison, the table, the chart, the savings."""

from __future__ import annotations

import argparse
from typing import Any

from crosslogic.console import table
from crosslogic.operator import chart, savings
from crosslogic.operator.loading import STATE_WORDS, Result
from crosslogic.operator.report import human_size


def add(report: dict[str, Any], results: list[Result], options: argparse.Namespace) -> None:
    """`results`, `comparison` and `savings` of the report."""
    size = report["weight_bytes"]
    report["results"] = [result.as_json(size) for result in results]
    cold = {result.way.name: result.median for result in results if result.state == "cold"}
    tuned_name = f"tuned c={report['tuned']['concurrency']}"
    streamed = {name: value for name, value in cold.items() if "c=" in name}
    if "standard" not in cold or not streamed:
        report |= {"comparison": None, "savings": None}
        return
    best = min(streamed, key=lambda name: streamed[name])
    report["comparison"] = {
        "standard_s": round(cold["standard"], 4),
        "tuned_s": round(cold[tuned_name], 4),
        "speedup": round(cold["standard"] / cold[tuned_name], 3),
        "saved_s": round(cold["standard"] - cold[tuned_name], 4),
        "best": best,
        "best_s": round(cold[best], 4),
        "tuned_over_best": round(cold[tuned_name] / cold[best], 3),
    }
    prices = savings.Prices(
        **{
            name: value
            for name, value in {
                "r2_storage_gb_month": options.r2_storage_price,
                "r2_reads_million": options.r2_read_price,
                "egress_gb": options.egress_price,
                "gpu_hour": options.gpu_price,
            }.items()
            if value is not None
        }
    )
    report["savings"] = savings.extrapolate(cold["standard"], cold[tuned_name], options.launches_per_day, size, prices)


def lines_of(report: dict[str, Any]) -> list[str]:
    rows = [["way", "state", "median", "spread", "rate", "memory", ""]]
    for result in report["results"]:
        download = result["download_median_s"]
        rows.append(
            [
                result["way"],
                result["state"],
                f"{result['median_s']:.2f} s",
                f"{result['min_s']:.2f} … {result['max_s']:.2f}",
                f"{human_size(result['bytes_per_s'])}/s",
                f"+{human_size(result['extra_memory_bytes'])}",
                f"download {download:.2f} s" if download and result["state"] == "cold" else "",
            ]
        )
    lines = ["", "BENCHMARK RESULTS", "=" * 64, *table(rows, right={2, 4, 5}), ""]
    lines += [f"{state}: {words}" for state, words in STATE_WORDS.items()]
    lines.append(
        f"page cache dropped before cold and disk loads: {report['caches_dropped']}; device: {report['device']}"
    )
    if report["comparison"]:
        lines += ["", *comparison_lines(report["comparison"]), "", *savings_lines(report["savings"])]
    for start in report.get("vllm", []):
        load = "?" if start["load_s"] is None else f"{start['load_s']:.2f} s"
        lines.append(
            f"vLLM, {start['way']}: answers after {start['ready_s']:.1f} s (download {start['download_s']:.2f} s, "
            f"its own count of loading {load})"
        )
    return lines


def comparison_lines(comparison: dict[str, Any]) -> list[str]:
    return [
        f"Standard loading:  {comparison['standard_s']:9.2f}s",
        f"Run:ai Streamer:   {comparison['tuned_s']:9.2f}s   (tuned, cold)",
        "",
        f"Speedup:           {comparison['speedup']:9.2f}x",
        f"Time saved:        {comparison['saved_s']:9.2f}s per load",
        f"Tuned over best:   {comparison['tuned_over_best']:9.2f}x  (best: {comparison['best']})",
    ]


def savings_lines(saved: dict[str, Any]) -> list[str]:
    prices = saved["prices"]
    gpu = saved["saved_gpu_usd_per_month"]
    worth = f", {gpu:.2f} USD at {prices['gpu_hour']:g} USD an hour" if gpu is not None else " (--gpu-price for USD)"
    hours, egress = saved["saved_hours_per_month"], saved["egress_usd_per_month"]
    return [
        f"At {saved['launches_per_day']:g} launches a day: {hours:.1f} node hours a month{worth}",
        f"R2: {saved['r2_usd_per_month']:.2f} USD a month (storage {prices['r2_storage_gb_month']:g} USD/GB, reads "
        f"{prices['r2_reads_million']:g} USD a million, no egress; Cloudflare's page as of 2026: --r2-storage-price, "
        "--r2-read-price)",
        f"The same bytes from a cloud with egress at {prices['egress_gb']:g} USD/GB: {egress:.2f} USD a month "
        "(assumed in 2025, not checked since: --egress-price)",
    ]


def chart_of(report: dict[str, Any]) -> str:
    bars = [
        chart.Bar(
            f"{result['way']}, {result['state']}",
            chart.COLOURS[result["state"]],
            result["median_s"],
            result["min_s"],
            result["max_s"],
        )
        for result in report["results"]
    ]
    subtitle = (
        f"{human_size(report['weight_bytes'])}, median of {report['runs']}, lines: smallest to largest; lower is better"
    )
    return chart.svg(f"Seconds to load {report['address']}", subtitle, bars)
