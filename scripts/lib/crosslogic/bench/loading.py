"""Loading over a link where concurrency matters: long, and thin for each single connection.

In a network namespace of its own. The link carries 80 times what one connection gets, as a node with 25 Gbit/s does
that gets 39 MB/s on a connection; the download has the AWS tools' ten. So the streamer can win 8 times at most, and on
a link that ten connections fill it wins nothing: the ratio is an assumption, not a finding.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from crosslogic import install
from crosslogic.bench.figures import Figure, figure
from crosslogic.operator import chart, environment
from crosslogic.operator.shaped_form import Form
from crosslogic.paths import SCRIPTS
from crosslogic.waiting import NeverCameError

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench
    from crosslogic.console import Console

LONGEST = 7200
CHART = Path("/tmp/crosslogic-bench-loading.svg")


def shaped_link(bench: Bench) -> list[Figure]:
    """Ratios are of medians over interleaved runs. What the tuned settings take a second time is the resolution."""
    form = Form(runs=bench.count(Form.runs))
    bench.note("loading over a shaped link: half an hour")
    report = measure(bench.rclone, bench.console, form)
    CHART.write_text(chart_of(report))
    bench.console.line(f"chart: {CHART}")
    return figures_of(report)


def figures_of(report: dict[str, Any]) -> list[Figure]:
    standard, tuned, sweep = report["standard"], report["tuned"], report["sweep"]
    medians = {number: median(seconds) for number, seconds in sweep.items()}
    best = min(medians, key=lambda number: medians[number])
    limit = median(report["link_bytes_per_s"])
    return [
        figure(
            "download over tuned streamer, shaped link", [seconds / median(tuned) for seconds in standard], "x", goal=5,
            better="higher",
        ),
        figure(
            f"tuned (c={report['concurrency']}) over best of the sweep (c={best})",
            [seconds / medians[best] for seconds in tuned], "x", goal=1.1,
        ),
        figure(
            "the same settings twice (resolution)", [seconds / median(tuned) for seconds in report["again"]], "x",
        ),
        figure(
            "tuned streamer", [report["bytes"] / seconds / 1e6 for seconds in tuned], "MB/s", better="higher",
            baseline=limit / 1e6,
        ),
        figure("one plain TCP connection", [rate / 1e6 for rate in report["link_bytes_per_s"]], "MB/s"),
        figure("core used by the link's own process", [report["link_process_busy"]], "share", goal=0.8),
        figure("tuned streamer", tuned, "s", baseline=medians[best]),
        figure("download, then load", standard, "s"),
        *(figure(f"streamer c={number}", seconds, "s") for number, seconds in sweep.items()),
    ]  # fmt: skip


def chart_of(report: dict[str, Any]) -> str:
    named = {"download, then load": report["standard"], f"tuned, c={report['concurrency']}": report["tuned"]}
    named |= {f"streamer, c={number}": seconds for number, seconds in report["sweep"].items()}
    bars = [
        chart.Bar(name, chart.COLOURS["cold"], median(seconds), min(seconds), max(seconds))
        for name, seconds in named.items()
    ]
    rate = median(report["link_bytes_per_s"]) / 1e6
    subtitle = (
        f"{report['bytes'] / 1e6:.0f} MB over {rate:.0f} MB/s, 80 times what one connection gets; medians; lines: "
        "smallest to largest; lower is better"
    )
    return chart.svg("Seconds to load over a shaped link", subtitle, bars)


def measure(rclone: Path, console: Console, form: Form) -> dict[str, Any]:
    if os.geteuid() != 0:
        raise NeverCameError("a network namespace with a shaped link takes root")
    python = environment.ensure(console) / "bin" / "python"
    engine = install.ensure_engine(console)
    result = subprocess.run(
        ["unshare", "--net", python, "-m", "crosslogic.operator.shaped", rclone, engine, json.dumps(asdict(form))],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS / "lib")},
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST,
    )
    if result.returncode != 0:
        raise NeverCameError(f"the shaped link's measurement ended with exit code {result.returncode}")
    return json.loads(result.stdout)


FIGURES = [shaped_link]
