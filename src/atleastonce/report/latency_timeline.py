"""Draws attempts, and the waits between them, over the time of one request: a typical one of each scenario."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from atleastonce.latency.findings import LatencyFindings
from atleastonce.latency.samples import Attempt
from atleastonce.latency.statistics import seconds, succeeded
from atleastonce.report.latency_drawing import LEFT, RIGHT, Axis, grid, svg, text

_TOP, _ROW, _AXIS = 44, 52, 44
_ROOM = 52  # a wait that is drawn shorter than this has no room for its length
_NAME = 12  # letters of a service's name that have room
_LEAST = 3  # an attempt is drawn this wide, however short it was


@dataclass(frozen=True, slots=True)
class Line:
    """What a service saw of one request."""

    name: str
    service: str
    request: int
    whole: float
    attempts: tuple[Attempt, ...]


def lines(found: LatencyFindings) -> list[Line]:
    """Return for each scenario and watched service the request whose time is nearest to the median.

    Only where the attempts have times.
    """
    shown = []
    for summary in found.summaries:
        samples = found.measured.of(summary.scenario)
        typical = min(samples, key=lambda sample: abs(sample.seconds - summary.median))
        for service in found.measured.watched:
            for each in found.measured.attempts_of(summary.scenario, service):
                timed = bool(each.seen) and all(seen.timed for seen in each.seen)
                if each.request == typical.request and timed:
                    shown.append(Line(summary.scenario, service, typical.request, typical.seconds, each.seen))
    return shown


def gaps(attempts: Sequence[Attempt]) -> list[tuple[float, float]]:
    """Return each wait: from the end of an attempt to the start of the next."""
    pairs = pairwise(attempts)
    return [
        (before.ended, after.began)
        for before, after in pairs
        if before.ended is not None and after.began is not None and after.began > before.ended
    ]


def timeline(shown: Sequence[Line]) -> str:
    """Return the requests below each other on one axis, which begins when each was sent."""
    axis = Axis(0.0, max(line.whole for line in shown) * 1.04 or 0.001)
    bottom = _TOP + _ROW * len(shown)
    body = [*grid(axis, 8, _TOP, bottom), *_legend()]
    for number, line in enumerate(shown):
        body += _line(line, axis, _TOP + _ROW * number + _ROW / 2)
    body.append(text("axis", (LEFT + RIGHT) / 2, bottom + 36, "seconds since the request was sent", "middle"))
    return svg("Attempts of typical requests over time", bottom + _AXIS, body)


def _line(line: Line, axis: Axis, y: float) -> Iterator[str]:
    yield text("name", LEFT - 14, y, line.name, "end")
    yield text("axis", LEFT - 14, y + 16, f"request {line.request}", "end")
    start = axis.x(0)
    yield f'<rect class="whole" x="{start}" y="{y - 13:g}" width="{axis.x(line.whole) - start:.1f}" height="26"/>'
    for before, after in gaps(line.attempts):
        left, right = axis.x(before), axis.x(after)
        yield f'<line class="wait" x1="{left}" y1="{y:g}" x2="{right}" y2="{y:g}"/>'
        if right - left > _ROOM:
            yield text("gap", (left + right) / 2, y - 4, f"{seconds(after - before)} s", "middle")
    for each in line.attempts:
        left = axis.x(each.began or 0.0)
        good = each.status is None or succeeded(each.status)
        width = max(axis.x(each.ended or 0.0) - left, _LEAST)
        kind = "attempt" if good else "attempt bad"
        yield f'<rect class="{kind}" x="{left}" y="{y - 9:g}" width="{width:.1f}" height="18"/>'
    count = len(line.attempts)
    yield text("value", RIGHT + 16, y - 2, f"{count} {'attempt' if count == 1 else 'attempts'}")
    waited = sum(after - before for before, after in gaps(line.attempts))
    between = f", {seconds(waited)} s between" if count > 1 else ""
    yield text("axis", RIGHT + 16, y + 15, f"of {line.service[:_NAME]}{between}")


def _legend() -> Iterator[str]:
    y, x = 20, LEFT
    yield f'<rect class="attempt" x="{x}" y="{y - 12}" width="12" height="14"/>'
    yield text("axis", x + 18, y, "attempt")
    yield f'<rect class="attempt bad" x="{x + 84}" y="{y - 12}" width="12" height="14"/>'
    yield text("axis", x + 102, y, "attempt that failed")
    yield f'<line class="wait" x1="{x + 236}" y1="{y - 4}" x2="{x + 262}" y2="{y - 4}"/>'
    yield text("axis", x + 270, y, "wait")
    yield f'<rect class="whole" x="{x + 316}" y="{y - 12}" width="20" height="14"/>'
    yield text("axis", x + 344, y, "the whole request")
