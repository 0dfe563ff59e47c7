"""`scripts/bench loading` in its short form: a real S3 server and the real streamer over a shaped link."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from crosslogic.bench.loading import chart_of, figures_of, measure
from crosslogic.console import Console
from crosslogic.operator.shaped_form import SHORT

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace with a shaped link takes root"),
]


def test_streamer_beats_a_download_where_one_connection_is_a_small_part_of_the_link(
    rclone: Path, console: Console
) -> None:
    report = measure(rclone, console, SHORT)
    figures = {figure.name: figure for figure in figures_of(report)}
    assert report["bytes"] == SHORT.bytes
    assert set(report["sweep"]) == {"1", "8"}
    # A busy machine makes everything slower, but not two connections as fast as twenty.
    assert figures["download over tuned streamer, shaped link"].value > 2
    # Nothing is faster than the link, and the link is what was asked for.
    slowest, fastest = SHORT.bytes / SHORT.link_bytes_per_s, SHORT.link_bytes_per_s / 1e6
    assert min(report["tuned"]) > 0.9 * slowest
    assert 0.5 * fastest < figures["one plain TCP connection"].value < 1.1 * fastest
    assert figures["core used by the link's own process"].value < 1
    bars = ET.fromstring(chart_of(report)).findall("{http://www.w3.org/2000/svg}path")
    assert len(bars) == 2 + len(SHORT.sweep)
