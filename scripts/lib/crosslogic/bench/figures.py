"""What a figure is, and how it is shown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from crosslogic.console import table

Better = Literal["lower", "higher"]


@dataclass(frozen=True)
class Figure:
    """`value` is the median of the runs, or the quantile that the name says."""

    name: str
    value: float
    unit: str
    goal: float | None
    better: Better
    met: bool | None
    """None where there is no goal: the figure is there to explain another one."""
    baseline: float | None
    """The peer's value, where there is a peer: same unit."""
    runs: int
    min: float
    max: float

    def as_json(self) -> dict[str, object]:
        return {name: rounded(value) if isinstance(value, float) else value for name, value in asdict(self).items()}


def figure(
    name: str,
    samples: Sequence[float],
    unit: str,
    goal: float | None = None,
    better: Better = "lower",
    baseline: float | None = None,
    value: Callable[[Sequence[float]], float] = statistics.median,
) -> Figure:
    seen = float(value(samples))
    met = None
    if goal is not None:
        met = seen <= goal if better == "lower" else seen >= goal
    return Figure(name, seen, unit, goal, better, met, baseline, len(samples), float(min(samples)), float(max(samples)))


def quantile(share: float) -> Callable[[Sequence[float]], float]:
    """The smallest sample that at least this share of the samples does not exceed; no interpolation."""

    def of(samples: Sequence[float]) -> float:
        ordered = sorted(samples)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return of


def rounded(value: float) -> float:
    """Four significant digits; what is beyond is noise."""
    return float(f"{value:.4g}")


def rows(figures: list[Figure]) -> list[str]:
    header = ["figure", "value", "unit", "goal", "", "compared with", "runs", "spread"]
    lines = [header]
    for entry in figures:
        sign = "≤" if entry.better == "lower" else "≥"
        lines.append(
            [
                entry.name,
                f"{rounded(entry.value):g}",
                entry.unit,
                f"{sign} {entry.goal:g}" if entry.goal is not None else "",
                {True: "met", False: "MISSED", None: ""}[entry.met],
                f"{rounded(entry.baseline):g}" if entry.baseline is not None else "",
                str(entry.runs),
                f"{rounded(entry.min):g} … {rounded(entry.max):g}",
            ]
        )
    return table(lines, right={1})
