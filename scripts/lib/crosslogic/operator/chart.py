"""A bar chart as SVG, written by hand: a library for it would be larger than all the rest."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 860, 230, 150, 26, 64
COLOURS = {"cold": "#2563eb", "disk": "#9ca3af", "warm": "#f59e0b"}


@dataclass(frozen=True)
class Bar:
    label: str
    colour: str
    value: float
    low: float
    high: float


def svg(title: str, subtitle: str, bars: list[Bar], unit: str = "s") -> str:
    """Bars from zero, with whiskers from the smallest to the largest run."""
    scale = (WIDTH - LEFT - RIGHT) / (max((bar.high for bar in bars), default=0) or 1)
    height = TOP + ROW * len(bars) + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="16" y="26" font-size="16" font-weight="bold">{escape(title)}</text>',
        f'<text x="16" y="46" fill="#555">{escape(subtitle)}</text>',
    ]
    for number, bar in enumerate(bars):
        y = TOP + number * ROW
        middle = y + ROW / 2 - 3
        length = bar.value * scale
        low, high = LEFT + bar.low * scale, LEFT + bar.high * scale
        lines += [
            f'<text x="{LEFT - 10}" y="{middle + 5:.1f}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{ROW - 8}" fill="{bar.colour}"/>',
            f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8" '
            'stroke="#111" fill="none"/>',
            f'<text x="{high + 8:.1f}" y="{middle + 5:.1f}">{bar.value:.2f} {unit}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])
