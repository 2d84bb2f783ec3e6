"""Draws latencies: where the times of each scenario lie, on one axis and on axes of their own.

Small SVG files by our own hand, as `curves`: they stand in the page, and beside the Markdown as files, for
which `alone` adds the styles.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from atleastonce.latency.findings import LatencyFindings
from atleastonce.latency.statistics import percentile, seconds, succeeded
from atleastonce.report.latency_drawing import LEFT, RIGHT, Axis, grid, svg, text

_TOP, _ROW, _AXIS = 52, 66, 44
_OWN_ROW = 84
_METHOD = "percentiles by linear interpolation (type 7)"
_LABEL = 18  # letters of a scenario's name that have room
_BANDS = 3  # claims drawn below one scenario
_LANES = (0, -6, 6, -12, 12)
"""Heights at which dots are put in turn, so that those with the same time do not hide each other."""


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario in a plot: its times with whether each was a success, and what claims say of it."""

    name: str
    times: tuple[tuple[float, bool], ...]
    bands: tuple[tuple[float, float, str], ...] = ()


def rows(found: LatencyFindings) -> list[Row]:
    """Return the scenarios as they are drawn."""
    return [
        Row(
            summary.scenario,
            tuple((each.seconds, succeeded(each.status)) for each in found.measured.of(summary.scenario)),
            tuple(
                (verdict.band.low, verdict.band.high, verdict.outcome)
                for verdict in found.verdicts
                if verdict.band is not None and verdict.band.scenario == summary.scenario
            )[:_BANDS],
        )
        for summary in found.summaries
    ]


def together(shown: Sequence[Row]) -> str:
    """Return all scenarios on one axis from zero, so that they can be compared."""
    axis = Axis(0.0, max(max(time for time, _ in row.times) for row in shown) * 1.04 or 0.001)
    bottom = _TOP + _ROW * len(shown)
    body = [*grid(axis, 8, _TOP, bottom), *_legend(bands=any(row.bands for row in shown))]
    for number, row in enumerate(shown):
        body += _row(row, axis, _TOP + _ROW * number + _ROW / 2)
    body.append(text("axis", (LEFT + RIGHT) / 2, bottom + 36, f"seconds per request; {_METHOD}", "middle"))
    return svg("Times of all scenarios on one axis", bottom + _AXIS, body)


def apart(shown: Sequence[Row]) -> str:
    """Return each scenario on an axis of its own, so that its spread can be seen."""
    body = list(_legend(bands=False))
    for number, row in enumerate(shown):
        times = [time for time, _ in row.times]
        pad = (max(times) - min(times)) * 0.05 or max(times) * 0.05 or 0.001
        axis = Axis(max(0.0, min(times) - pad), max(times) + pad)
        top = _TOP + _OWN_ROW * number
        body += grid(axis, 6, top + 4, top + 50)
        body += _row(Row(row.name, row.times), axis, top + 27)
    bottom = _TOP + _OWN_ROW * len(shown)
    told = f"seconds per request; each axis has a scale of its own and need not begin at zero; {_METHOD}"
    body.append(text("axis", (LEFT + RIGHT) / 2, bottom + 4, told, "middle"))
    return svg("Times of each scenario on its own axis", bottom + 16, body)


def _row(row: Row, axis: Axis, y: float) -> Iterator[str]:
    """Yield the dots of a scenario, its median and p95, the middle half, its name and figures."""
    ordered = sorted(time for time, _ in row.times)
    low, median, high, p95 = (percentile(ordered, percent) for percent in (25, 50, 75, 95))
    name = row.name if len(row.name) <= _LABEL else row.name[: _LABEL - 1] + "…"
    yield text("name", LEFT - 14, y, name, "end")
    yield text("axis", LEFT - 14, y + 16, f"n = {len(ordered)}", "end")
    width = max(axis.x(high) - axis.x(low), 1)
    yield f'<rect class="half" x="{axis.x(low)}" y="{y - 18:g}" width="{width:.1f}" height="36"/>'
    for number, (time, good) in enumerate(row.times):
        dot = "dot" if good else "dot bad"
        yield f'<circle class="{dot}" cx="{axis.x(time)}" cy="{y + _LANES[number % len(_LANES)]:g}" r="4"/>'
    for kind, at in (("median", median), ("p95", p95)):
        yield f'<line class="{kind}" x1="{axis.x(at)}" y1="{y - 18:g}" x2="{axis.x(at)}" y2="{y + 18:g}"/>'
    for number, (start, end, outcome) in enumerate(row.bands):
        left = axis.x(start)
        length = max(axis.x(end) - left, 3)
        place = f'x="{left}" y="{y + 20 + 4 * number:g}" width="{length:.1f}" height="3"'
        yield f'<rect class="band {outcome}" {place}/>'
    yield text("value", RIGHT + 16, y - 2, f"median {seconds(median)} s")
    yield text("axis", RIGHT + 16, y + 15, f"{seconds(ordered[0])} to {seconds(ordered[-1])} s")


def _legend(*, bands: bool) -> Iterator[str]:
    y = 20
    yield f'<circle class="dot" cx="{LEFT + 4}" cy="{y - 4}" r="4"/>' + text("axis", LEFT + 14, y, "2xx")
    x = LEFT + 56
    yield f'<circle class="dot bad" cx="{x}" cy="{y - 4}" r="4"/>' + text("axis", x + 10, y, "anything else")
    for kind, at, words in (("median", 162, "median"), ("p95", 236, "p95")):
        x = LEFT + at
        yield f'<line class="{kind}" x1="{x}" y1="{y - 13}" x2="{x}" y2="{y + 4}"/>' + text(
            "axis", x + 9, y, words
        )
    x = LEFT + 290
    yield f'<rect class="half" x="{x}" y="{y - 13}" width="22" height="17"/>'
    yield text("axis", x + 30, y, "middle half")
    if bands:
        x = LEFT + 412
        yield f'<rect class="band kept" x="{x}" y="{y - 8}" width="22" height="3"/>'
        yield f'<rect class="band broken" x="{x}" y="{y - 3}" width="22" height="3"/>'
        yield text("axis", x + 30, y, "where claims put it: kept, broken")
