"""What all plots of latencies are drawn with: an axis of seconds, texts, styles, and the SVG around them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources

WIDTH = 1060
LEFT, RIGHT = 140, 840

_COLOURS = """
svg.latency { --ink: #1a2029; --soft: #57606d; --line: #dde1e7; --card: #ffffff; background: var(--card);
  --broker: #0b6e8f; --fault: #b34700; --kept: #1a7f45; --broken: #c02626; }
@media (prefers-color-scheme: dark) {
  svg.latency { --ink: #e7eaef; --soft: #a3adba; --line: #323a46; --card: #1a1f27;
    --broker: #6bcbea; --fault: #ffa763; --kept: #5ed492; --broken: #ff8a8a; }
}
"""
"""The colours of the page, for drawings that stand alone."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From seconds to a place between the left and the right edge."""

    low: float
    high: float

    def x(self, value: float) -> float:
        """Return where a time stands; what lies outside is put at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return round(LEFT + min(max(share, 0.0), 1.0) * (RIGHT - LEFT), 1)

    def ticks(self, most: int) -> list[float]:
        """Return round values along the axis: 1, 2 or 5 of some power of ten apart."""
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-6)
        return [step * number for number in range(first, math.floor(self.high / step + 1e-6) + 1)]


def svg(title: str, height: float, body: Sequence[str]) -> str:
    """Return an ``<svg>`` element."""
    return (
        f'<svg class="latency" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{"".join(body)}</svg>'
    )


def alone(drawing: str) -> str:
    """Return an ``<svg>`` element as a file of its own, with its styles."""
    head, end, body = drawing.partition("</title>")
    style = resources.files("atleastonce.report").joinpath("latency.css").read_text("utf-8")
    return f"{head}{end}<style>{_COLOURS}{style}</style>{body}\n"


def grid(axis: Axis, most: int, top: float, bottom: float) -> Iterator[str]:
    """Yield the lines of an axis from top to bottom, at most so many and one, with their values below."""
    ticks = axis.ticks(most)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else axis.high
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    for value in ticks:
        x = axis.x(value)
        yield f'<line class="grid" x1="{x}" y1="{top:g}" x2="{x}" y2="{bottom:g}"/>'
        yield text("axis", x, bottom + 16, f"{value:.{digits}f}", "middle")
    yield f'<line class="grid" x1="{LEFT}" y1="{bottom:g}" x2="{RIGHT}" y2="{bottom:g}"/>'


def text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    """Return words at a place."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'
