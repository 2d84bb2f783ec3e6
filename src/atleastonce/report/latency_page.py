"""Latencies as an HTML page that needs nothing beside itself, drawn from the template ``latency.html.j2``."""

from collections.abc import Mapping

from atleastonce.latency.findings import LatencyFindings
from atleastonce.report.latency_markdown import NO_TIMELINE, PLOTS, sentence
from atleastonce.report.latency_table import HEAD, notes, row
from atleastonce.report.page import environment
from atleastonce.report.rows import SYMBOLS
from atleastonce.verdict import Outcome

_SENTENCES: Mapping[Outcome, str] = {
    "kept": "Every claim holds.",
    "broken": "A claim does not hold.",
    "unknown": "No claim is broken, but not every one could be judged.",
}


def page(found: LatencyFindings, drawings: Mapping[str, str]) -> str:
    """Return the page; `drawings` are the plots that there are, as SVG."""
    return (
        environment()
        .get_template("latency.html.j2")
        .render(
            found=found,
            sentence=_SENTENCES[found.outcome] if found.verdicts else "No claims were made.",
            told=sentence(found),
            symbols=SYMBOLS,
            head=HEAD,
            rows=[row(summary) for summary in found.summaries],
            notes=notes(found.summaries) if found.summaries else [],
            plots=[(PLOTS[name], drawing) for name, drawing in drawings.items()],
            no_timeline="" if "timeline" in drawings else NO_TIMELINE,
        )
    )
