"""Draws a story as a sequence chart in SVG: a lane for us, the broker and each service, one row per step.

It has no styles of its own but classes, so that the page's colours, light and dark, are the chart's too.
"""

import textwrap
from collections.abc import Iterator
from html import escape

from atleastonce.report.story import Step, Story
from atleastonce.report.wording import broker_name

_RUNNER, _BROKER, _SERVICE, _NEXT = 170, 490, 810, 220
"""Where the lanes are: ours, the broker's, the first service's, and how far apart further services are."""
_LONG = 500
_BESIDE = 650
_TOP, _ROW, _FAULT_ROW, _LOST_ROW = 76, 52, 58, 46
_NUMBER, _TIME = 24, 46
_LINE = 14
_FITS, _FITS_LONG = 45, 96
"""How many characters fit on an arrow, and on one that crosses a lane."""


class _Lanes:
    """Where each participant of a story has its lane."""

    def __init__(self, story: Story) -> None:
        self._story = story
        names = ["service", *(f"service{n}" for n in range(2, len(story.participants) + 1))]
        # Where services ask each other, there is no broker between, and the arrows need their room.
        first, next_ = (_SERVICE, _NEXT) if story.has_broker else (_BROKER, _SERVICE - _BROKER)
        self.x = {"runner": _RUNNER, **({"broker": _BROKER} if story.has_broker else {})}
        self.x |= {name: first + next_ * number for number, name in enumerate(names)}
        self.last = max(self.x.values())
        self.width = self.last + 214

    def of(self, step: Step) -> tuple[int, int]:
        """Return where a step begins and ends."""
        source, target = (self._story.lane(step, end) for end in (step.source, step.target))
        return self.x.get(source, _BROKER), self.x.get(target, _BROKER)


def svg(story: Story, title: str) -> str:
    """Return a story as an ``<svg>`` element; `title` must say in words what is to be seen."""
    lanes = _Lanes(story)
    rows: list[str] = []
    y, number = _TOP, 0
    for step in story.steps:
        number += step.kind != "gap"
        rows += _row(step, lanes, number, y)
        y += _height(step, lanes)
    height = y + 12
    body = "".join((*_heads(story, lanes, height), *rows))
    return (
        f'<svg class="chart" viewBox="0 0 {lanes.width} {height}" width="{lanes.width}" '
        f'height="{height}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{body}</svg>'
    )


def _height(step: Step, lanes: _Lanes) -> int:
    if step.kind == "fault":
        return _FAULT_ROW + (_LOST_ROW if step.lost else 0) + (_LINE if step.mark else 0)
    below = len(_wrapped(step, lanes)) + (bool(step.mark) and step.source == step.target)
    return _ROW + _LINE * max(below - 1, 0)


def _wrapped(step: Step, lanes: _Lanes) -> list[str]:
    return textwrap.wrap(step.remark, _fits(step, lanes) + 5)


def _fits(step: Step, lanes: _Lanes) -> int:
    """Return how many characters fit on the arrow of a step."""
    start, end = lanes.of(step)
    return _FITS_LONG if "runner" in {step.source, step.target} and abs(end - start) > _LONG else _FITS


def _heads(story: Story, lanes: _Lanes, height: int) -> Iterator[str]:
    broker = [broker_name(story.broker)] if story.has_broker else []
    names = dict(zip(lanes.x, ("atleastonce", *broker, *story.participants), strict=True))
    for lane, x in lanes.x.items():
        kind = lane.rstrip("0123456789")
        yield f'<line class="life" x1="{x}" y1="46" x2="{x}" y2="{height - 8}"/>'
        yield f'<rect class="head {kind}" x="{x - 84}" y="12" width="168" height="34" rx="8"/>'
        yield _text(x, 34, names[lane], "name", 21)


def _row(step: Step, lanes: _Lanes, number: int, y: int) -> Iterator[str]:
    if step.kind == "gap":
        yield _text(_BROKER, y + 26, f"… {step.what} …", "remark gap")
        return
    yield f'<circle class="number {step.kind}" cx="{_NUMBER}" cy="{y + 22}" r="12"/>'
    yield _text(_NUMBER, y + 26, str(number), f"digit {step.kind}")
    yield f'<text class="time" x="{_TIME}" y="{y + 26}">{_moment(step.t)}</text>'
    if step.kind == "fault":
        yield from _fault(step, lanes, y)
    elif step.source == step.target:
        yield from _beside(step, lanes, y)
    else:
        yield from _arrow(step, lanes, y)


def _arrow(step: Step, lanes: _Lanes, y: int) -> Iterator[str]:
    start, end = lanes.of(step)
    back = -1 if end < start else 1
    # In the middle of a long arrow there is a lane in the way.
    middle = (start + end) // 2 if abs(end - start) < _LONG else _BESIDE
    kind = "again" if step.kind == "again" else step.source.replace("callee", "service")
    yield f'<line class="arrow {kind}" x1="{start}" y1="{y + 22}" x2="{end - 8 * back}" y2="{y + 22}"/>'
    yield f'<path class="tip {kind}" d="M{end} {y + 22}l{-11 * back} -5v10z"/>'
    yield _text(middle, y + 15, f"{step.verb} {step.what}", "label", _fits(step, lanes))
    for number, line in enumerate(_wrapped(step, lanes)):
        yield _text(middle, y + 38 + _LINE * number, line, "remark")
    if step.mark:
        yield f'<text class="mark" x="{lanes.last + 26}" y="{y + 26}">◄ {escape(_cut(step.mark, 26))}</text>'


def _beside(step: Step, lanes: _Lanes, y: int) -> Iterator[str]:
    """Yield what happens to a participant itself, which has no arrow: it is said between the lanes."""
    x, middle = lanes.of(step)[0], (_BROKER + _SERVICE) // 2
    yield f'<circle class="at {step.source}" cx="{x}" cy="{y + 22}" r="5"/>'
    yield _text(middle, y + 15, f"{step.verb} {step.what}", "label", _FITS)
    rows = [(line, "remark") for line in _wrapped(step, lanes)]
    rows += [(f"◄ {step.mark}", "mark")] if step.mark else []
    for number, (line, kind) in enumerate(rows):
        yield _text(middle, y + 33 + _LINE * number, line, kind)


def _fault(step: Step, lanes: _Lanes, y: int) -> Iterator[str]:
    if step.lost:
        yield from _lost(step, lanes, y)
        y += _LOST_ROW
    left, right = _BROKER - 90, lanes.last + 90
    middle = (left + right) // 2
    height = 46 + (_LINE if step.mark else 0)
    yield f'<rect class="fault" x="{left}" y="{y}" width="{right - left}" height="{height}" rx="8"/>'
    yield _text(middle, y + 20, f"✂ {step.what}", "label fault", 68)
    yield _text(middle, y + 37, step.remark, "remark", 80)
    if step.mark:
        yield _text(middle, y + 37 + _LINE, f"◄ {step.mark}", "mark")


def _lost(step: Step, lanes: _Lanes, y: int) -> Iterator[str]:
    start, end = lanes.of(step)
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
