"""Loading over a link where concurrency matters: long, and thin for each single connection.

In a network namespace of its own. The link carries 80 times what one connection gets, as a node with 25 Gbit/s does
that gets 39 MB/s on a connection; the download has the AWS tools' ten. So the streamer can win 8 times at most, and on
a link that ten connections fill it wins nothing: the ratio is an assumption, not a finding.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from crosslogic import install
from crosslogic.bench.figures import Figure, figure
from crosslogic.operator import environment
from crosslogic.paths import SCRIPTS
from crosslogic.waiting import NeverCameError

if TYPE_CHECKING:
    from crosslogic.bench.__main__ import Bench

USUAL_RUNS = 3
LONGEST = 3600


def shaped_link(bench: Bench) -> list[Figure]:
    report = measure(bench)
    standard, tuned, sweep = report["standard"], report["tuned"], report["sweep"]
    best = min(sweep, key=lambda number: sorted(sweep[number])[len(sweep[number]) // 2])
    rates = [report["bytes"] / seconds / 1e6 for seconds in tuned]
    best_median = sorted(sweep[best])[len(sweep[best]) // 2]
    return [
        figure(
            "download over tuned streamer, shaped link",
            [ours / theirs for ours, theirs in zip(standard, tuned, strict=True)],
            "x",
            goal=5,
            better="higher",
        ),
        figure(
            f"tuned (c={report['concurrency']}) over best of the sweep (c={best})",
            [ours / theirs for ours, theirs in zip(tuned, sweep[best], strict=True)],
            "x",
            goal=1.1,
        ),
        figure("tuned streamer", rates, "MB/s", better="higher", baseline=report["link_bytes_per_s"] / 1e6),
        figure("tuned streamer", tuned, "s", baseline=best_median),
        figure("download, then load", standard, "s"),
        *(figure(f"streamer c={number}", seconds, "s") for number, seconds in sweep.items()),
    ]


def measure(bench: Bench) -> dict[str, Any]:
    if os.geteuid() != 0:
        raise NeverCameError("a network namespace with a shaped link takes root")
    python = environment.ensure(bench.console) / "bin" / "python"
    engine = install.ensure_engine(bench.console)
    command = ["unshare", "--net", python, "-m", "crosslogic.operator.shaped"]
    bench.note("loading over a shaped link")
    result = subprocess.run(
        [*command, bench.rclone, engine, str(bench.count(USUAL_RUNS))],
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
