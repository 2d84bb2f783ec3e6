"""Draws a story as a sequence chart in SVG: three lanes, one row per step.

It has no styles of its own but classes, so that the page's colours, light and dark, are the chart's too.
"""

import textwrap
from collections.abc import Iterator
from html import escape

from atleastonce.report.story import Lane, Step, Story
from atleastonce.report.wording import broker_name

_LANES: dict[Lane, int] = {"runner": 170, "broker": 490, "service": 810}
_WIDTH, _RIGHT, _BESIDE = 1010, 836, 650
_TOP, _ROW, _FAULT_ROW, _LOST_ROW = 76, 52, 58, 46
_NUMBER, _TIME = 24, 46
_LINE = 14
_FITS = {0: 90, 320: 45, 640: 96}
"""How many characters fit on an arrow, by its length."""


def svg(story: Story, title: str) -> str:
    """Return a story as an ``<svg>`` element; `title` must say in words what is to be seen."""
    rows: list[str] = []
    y, number = _TOP, 0
    for step in story.steps:
        number += step.kind != "gap"
        rows += _row(step, number, y)
        y += _height(step)
    height = y + 12
    body = "".join((*_heads(story, height), *rows))
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{body}</svg>'
    )


def _height(step: Step) -> int:
    if step.kind == "fault":
        return _FAULT_ROW + (_LOST_ROW if step.lost else 0)
    return _ROW + _LINE * max(len(_wrapped(step)) - 1, 0)


def _wrapped(step: Step) -> list[str]:
    return textwrap.wrap(step.remark, _fits(step) + 5)


def _fits(step: Step) -> int:
    """Return how many characters fit on the arrow of a step."""
    return _FITS[abs(_LANES[step.target] - _LANES[step.source])]


def _heads(story: Story, height: int) -> Iterator[str]:
    names = {"runner": "atleastonce", "broker": broker_name(story.broker), "service": story.service}
    for lane, x in _LANES.items():
        yield f'<line class="life" x1="{x}" y1="46" x2="{x}" y2="{height - 8}"/>'
        yield f'<rect class="head {lane}" x="{x - 84}" y="12" width="168" height="34" rx="8"/>'
        yield _text(x, 34, names[lane], "name", 21)


def _row(step: Step, number: int, y: int) -> Iterator[str]:
    if step.kind == "gap":
        yield _text(_LANES["broker"], y + 26, f"… {step.what} …", "remark gap")
        return
    yield f'<circle class="number {step.kind}" cx="{_NUMBER}" cy="{y + 22}" r="12"/>'
    yield _text(_NUMBER, y + 26, str(number), f"digit {step.kind}")
    yield f'<text class="time" x="{_TIME}" y="{y + 26}">{_moment(step.t)}</text>'
    yield from _fault(step, y) if step.kind == "fault" else _arrow(step, y)
    if step.mark:
        yield f'<text class="mark" x="{_RIGHT}" y="{y + 26}">◄ {escape(_cut(step.mark, 26))}</text>'


def _arrow(step: Step, y: int) -> Iterator[str]:
    start, end = _LANES[step.source], _LANES[step.target]
    if start == end:
        # What happens to the service itself has no arrow: it is said beside its lane.
        yield _text(start, y + 26, f"{step.verb} {step.what} {step.remark}", "label")
        return
    back = -1 if end < start else 1
    # In the middle of a long arrow there is a lane in the way.
    middle = (start + end) // 2 if abs(end - start) < _WIDTH // 2 else _BESIDE
    kind = "again" if step.kind == "again" else step.source
    yield f'<line class="arrow {kind}" x1="{start}" y1="{y + 22}" x2="{end - 8 * back}" y2="{y + 22}"/>'
    yield f'<path class="tip {kind}" d="M{end} {y + 22}l{-11 * back} -5v10z"/>'
    yield _text(middle, y + 15, f"{step.verb} {step.what}", "label", _fits(step))
    for number, line in enumerate(_wrapped(step)):
        yield _text(middle, y + 38 + _LINE * number, line, "remark")


def _fault(step: Step, y: int) -> Iterator[str]:
    if step.lost:
        yield from _lost(step, y)
        y += _LOST_ROW
    left, right = _LANES["broker"] - 90, _LANES["service"] + 90
    middle = (left + right) // 2
    yield f'<rect class="fault" x="{left}" y="{y}" width="{right - left}" height="46" rx="8"/>'
    yield _text(middle, y + 20, f"✂ {step.what}", "label fault", 68)
    yield _text(middle, y + 37, step.remark, "remark", 80)


def _lost(step: Step, y: int) -> Iterator[str]:
    start, end = _LANES[step.source], _LANES[step.target]
    middle = (start + end) // 2
    yield f'<line class="arrow lost" x1="{start}" y1="{y + 24}" x2="{middle}" y2="{y + 24}"/>'
    yield f'<path class="cross" d="M{middle - 6} {y + 18}l12 12m0 -12l-12 12"/>'
    yield _text((start + middle) // 2, y + 16, step.lost, "label", 22)


def _text(x: int, y: int, text: str, kind: str, fits: int = 90) -> str:
    """Return centred text; what does not fit is cut, and told in full where the pointer rests."""
    shown = _cut(text, fits)
    full = f"<title>{escape(text)}</title>" if shown != text else ""
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="middle">{escape(shown)}{full}</text>'


def _cut(text: str, fits: int) -> str:
    return text if len(text) <= fits else text[: fits - 1] + "…"


def _moment(t: float) -> str:
    return f"{t:.2f} s" if t >= 1 else f"{t * 1000:.0f} ms"
