"""The HTML report: one page that needs nothing beside itself, drawn from the template ``page.html.j2``."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from atleastonce.findings import Counterexample, Curve, Findings
from atleastonce.history import queue_name
from atleastonce.promises import PROMISES
from atleastonce.report import curves
from atleastonce.report.chart import svg
from atleastonce.report.narrative import lines
from atleastonce.report.rows import SYMBOLS, grouped, numbered, ran, unexplained, versions
from atleastonce.report.story import Story
from atleastonce.report.telling import of_counterexample
from atleastonce.report.wording import broker_name
from atleastonce.verdict import Outcome

if TYPE_CHECKING:
    import jinja2

_SENTENCES: dict[Outcome, str] = {
    "kept": "Every promise was kept.",
    "broken": "A promise is broken.",
    "unknown": "Nothing is broken, but not everything could be found out.",
}


def page(found: Sequence[Findings], rules: Mapping[str, str], when: datetime, home: str) -> str:
    """Return ``report.html``; `rules` says why each fault is allowed, `home` is the report's folder."""
    outcome = overall(found)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            outcome=outcome,
            sentence=_SENTENCES[outcome],
            symbols=SYMBOLS,
            when=when.strftime("%Y-%m-%d %H:%M:%S"),
            groups=[_group(findings, verdicts) for findings, verdicts in grouped(found)],
            counterexamples=[
                _told(f"{home}/{folder}", folder, each, rules) for folder, _, each in numbered(found)
            ],
        )
    )


def environment() -> "jinja2.Environment":
    """Return what renders the templates beside this module: everything that is put in is escaped."""
    import jinja2  # noqa: PLC0415 - only a run that ends in a report needs it

    return jinja2.Environment(
        loader=jinja2.PackageLoader("atleastonce", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def overall(found: Sequence[Findings]) -> Outcome:
    """Return what a whole run came to: broken if anything is, else unknown if anything is, else kept."""
    outcomes = {findings.outcome for findings in found} or {"unknown"}
    return "broken" if "broken" in outcomes else "unknown" if "unknown" in outcomes else "kept"


def _group(findings: Findings, verdicts: Sequence[Any]) -> dict[str, Any]:
    return {
        "service": findings.service,
        "broker": broker_name(findings.broker),
        "rows": verdicts,
        "ran": ran(findings),
        "remarks": findings.remarks,
        "unknowns": unexplained(findings),
        "outages": [_outage(curve) for curve in curves.steepest(findings)],
        "facts": {**findings.settings, **versions(findings)},
    }


def _outage(curve: Curve) -> dict[str, str]:
    return {
        "queue": queue_name(curve.queue),
        "outcome": curves.outcome(curve),
        "schedule": curve.schedule,
        "svg": curves.svg(curve),
    }


def _told(replay: str, folder: str, found: Counterexample, rules: Mapping[str, str]) -> dict[str, Any]:
    story = of_counterexample(found, rules)
    return {
        "folder": folder,
        "promise": found.promise,
        "service": story.service,
        "broker": broker_name(story.broker),
        "replay": replay,
        "remarks": story.headline.split(" · ")[2:],
        "promised": PROMISES[found.promise].holds_when if found.promise in PROMISES else "",
        "reason": story.reason,
        "differences": story.differences,
        "chart": svg(story, _described(story)),
        "outages": [_outage(curve) for curve in story.curves],
        "lines": list(lines(story, replay)),
    }


def _described(story: Story) -> str:
    """Say in words what the chart shows, for who cannot see it; the lines below it are the whole story."""
    broker = ", the broker" if story.has_broker else ""
    return f"Sequence of {len(story.steps)} steps between atleastonce{broker} and {', '.join(story.participants)}"
