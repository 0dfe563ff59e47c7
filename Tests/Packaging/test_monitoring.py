"""Alerts and dashboard ask only for what an agent says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from crosslogic.paths import ROOT

RULES = ROOT / "packaging" / "prometheus" / "node-agent.rules.yaml"
DASHBOARD = ROOT / "packaging" / "grafana" / "node-agent.json"
SOURCE = ROOT / "Sources" / "AgentRuntime" / "MetricsText.swift"


def rendered() -> set[str]:
    return set(re.findall(r'"(crosslogic_\w+)"', SOURCE.read_text()))


def queries(file: Path) -> str:
    if file.suffix == ".json":
        dashboard = json.loads(file.read_text())
        found = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        found += [variable["query"] for variable in dashboard["templating"]["list"]]
    else:
        found = re.findall(r"(?m)^ +expr: (.+)$", file.read_text())
    assert found
    return "\n".join(found)


def test_metrics_are_the_agents() -> None:
    assert len(rendered()) > 5
    for file in (RULES, DASHBOARD):
        assert set(re.findall(r"crosslogic_\w+", queries(file))) - rendered() == set(), file


def test_dashboard_shows_every_metric() -> None:
    assert rendered() - set(re.findall(r"crosslogic_\w+", queries(DASHBOARD))) == set()


def test_states_and_intervals_are_the_agents() -> None:
    source = SOURCE.read_text()
    for file in (RULES, DASHBOARD):
        for values in re.findall(r'(?:state|interval)=~?"([\w|]+)"', queries(file)):
            for value in values.split("|"):
                assert f'"{value}"' in source, (file, value)
