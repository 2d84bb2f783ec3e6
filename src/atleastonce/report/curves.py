"""Draws how many messages waited during an outage: a sparkline for text, a small SVG for the page.

The SVG has no styles of its own but classes, as the sequence chart's.
"""

from collections.abc import Iterator
from html import escape

from atleastonce.findings import Curve, Findings
from atleastonce.history import queue_name
from atleastonce.report.rows import counted

MOST = 4
"""How many curves of one service are shown: those in which most waited."""
_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 32
_WIDTH, _HEIGHT = 720, 176
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 700, 34, 146


def steepest(findings: Findings) -> list[Curve]:
    """Return the curves that are worth drawing, one per queue and outage, the greatest depth first."""
    distinct = {(each.queue, each.schedule): each for each in findings.curves}
    return sorted(distinct.values(), key=lambda curve: -curve.most)[:MOST]


def said(curve: Curve) -> str:
    """Say a curve in a line: ``depth of orders ▁▆█▅▁ at most 8, drained 1.9 s after the service was up``."""
    return f"depth of {queue_name(curve.queue)} {sparkline(curve)} {outcome(curve)}"


def done(curve: Curve) -> str:
    """Say what was done, apart from the messages: ``stop inventory; start inventory``."""
    return "; ".join(
        each for each in curve.schedule.split("; ") if not each.startswith(("publish ", "burst "))
    )


def outcome(curve: Curve) -> str:
    """Say how many waited at most, and what became of them."""
    most = f"at most {counted(curve.most, 'message')}"
    if curve.drained_after is None:
        return f"{most}, {curve.points[-1][1]} still waited at the end"
    last = max(curve.moments, default=(0.0, ""))[1]
    since = {"up": "after the start", "mended": "after the mending"}.get(last, "later")
    return f"{most}, drained {curve.drained_after:.1f} s {since}"


def sparkline(curve: Curve) -> str:
    """Return a curve as one line of blocks, each as high as the depth was at the most meanwhile."""
    start, end = _span(curve)
    width = (end - start) / _COLUMNS
    heights = [_most_between(curve, start + width * n, start + width * (n + 1)) for n in range(_COLUMNS)]
    top = len(_BARS) - 1
    return "".join(_BARS[-(-height * top // curve.most)] for height in heights)


def _most_between(curve: Curve, start: float, end: float) -> int:
    """Return the greatest depth in a span of time: what held when it began, or came in it."""
    held = next((size for t, size in reversed(curve.points) if t <= start), 0)
    return max([held, *(size for t, size in curve.points if start < t < end)])


def _span(curve: Curve) -> tuple[float, float]:
    """Return when the curve begins and ends; what nobody saw change has a little length all the same."""
    times = [t for t, _ in (*curve.points, *curve.moments)]
    start, end = min(times), max(times)
    return start, end + max((end - start) * 0.04, 0.001)


# -- SVG


def svg(curve: Curve) -> str:
    """Return a curve as an ``<svg>`` element, with the moments at which its service went down and up."""
    title = f"Depth of {queue_name(curve.queue)} over time: {outcome(curve)}"
    return (
        f'<svg class="curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>'
        + "".join((*_axes(curve), *_moments(curve), *_line(curve)))
        + "</svg>"
    )


def _axes(curve: Curve) -> Iterator[str]:
    start, end = _span(curve)
    for size in (0, curve.most):
        y = _y(curve, size)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_RIGHT}" y2="{y}"/>'
        yield f'<text class="axis" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{size}</text>'
    for t, anchor in ((start, "start"), (end, "end")):
        x = _x(curve, t)
        yield f'<text class="axis" x="{x}" y="{_BOTTOM + 20}" text-anchor="{anchor}">{t:.1f} s</text>'


def _moments(curve: Curve) -> Iterator[str]:
    for t, what in curve.moments:
        x = _x(curve, t)
        kind = "bad" if what in {"down", "cut off"} else "good"
        yield f'<line class="moment {kind}" x1="{x}" y1="{_TOP - 10}" x2="{x}" y2="{_BOTTOM}"/>'
        yield f'<text class="moment {kind}" x="{x}" y="{_TOP - 16}" text-anchor="middle">{escape(what)}</text>'


def _line(curve: Curve) -> Iterator[str]:
    """Yield the curve and the area below it, in steps: a depth holds until another one is seen."""
    (first, size), *rest = curve.points
    path = f"M{_x(curve, first)} {_y(curve, size)}"
    path += "".join(f"H{_x(curve, t)}V{_y(curve, size)}" for t, size in rest)
    path += f"H{_RIGHT}"
    yield f'<path class="area" d="{path}V{_BOTTOM}H{_x(curve, first)}Z"/><path class="depth" d="{path}"/>'


def _x(curve: Curve, t: float) -> int:
    start, end = _span(curve)
    return round(_LEFT + (t - start) / (end - start) * (_RIGHT - _LEFT))


def _y(curve: Curve, size: int) -> int:
    return round(_BOTTOM - size / curve.most * (_BOTTOM - _TOP))
