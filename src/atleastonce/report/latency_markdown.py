"""Latencies as Markdown: table, claims with their verdicts, and an analysis that is made from these alone."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from atleastonce.latency.findings import LatencyFindings
from atleastonce.latency.judging import ClaimVerdict
from atleastonce.report.latency_table import HEAD, notes, row
from atleastonce.report.markdown import cell
from atleastonce.report.rows import SYMBOLS, counted
from atleastonce.verdict import Outcome

PLOTS: Mapping[str, str] = {
    "together": "Times of all scenarios on one axis",
    "apart": "Times of each scenario on its own axis",
    "timeline": "Attempts of typical requests over time",
}
NO_TIMELINE = "When attempts began and ended was not observed, so there is no timeline of them."


def report(found: LatencyFindings, plots: Mapping[str, str]) -> str:
    """Return the whole report; `plots` are the files of those plots that there are."""
    parts = [f"# {found.latency.title}", " ".join(found.latency.about.split()), found.origin]
    parts += ["## Verdict", sentence(found)]
    if found.summaries:
        parts += ["## Latencies", _table(found), *map(_starred, notes(found.summaries))]
    if found.verdicts:
        parts += ["## Claims", _claims(found), "## Analysis", *analysis(found)]
    parts += ["## Plots", *_plots(plots)] if plots else []
    return "\n\n".join(filter(None, parts)) + "\n"


def judged_origin(samples: Path, claims: Path) -> str:
    """Say where a report on given samples comes from."""
    return (
        f"Judged, not measured: the samples of {samples.name}, by the claims of {claims.name}. "
        "Every sentence below follows from these two."
    )


def sentence(found: LatencyFindings) -> str:
    """Say what all claims came to."""
    if not found.verdicts:
        return "The scenario file makes no claims, so nothing was judged."
    outcomes = [verdict.outcome for verdict in found.verdicts]
    counts = ", ".join(f"{outcomes.count(each)} {each}" for each in SYMBOLS if each in outcomes)
    return f"Of {counted(len(outcomes), 'claim')}: {counts}."


def analysis(found: LatencyFindings) -> Iterator[str]:
    """Yield paragraphs: what holds, what does not and why, what is not known, and what else the samples say."""
    heads: Mapping[Outcome, str] = {
        "broken": "Does not hold:",
        "unknown": "Could not be found out:",
        "kept": "Holds:",
    }
    for outcome, head in heads.items():
        told = [_told(verdict) for verdict in found.verdicts if verdict.outcome == outcome]
        if told:
            yield "\n".join((head, "", *told))
    yield from found.remarks


def _told(verdict: ClaimVerdict) -> str:
    return f"- **{cell(verdict.name)}**: {cell(verdict.reason)}."


def _table(found: LatencyFindings) -> str:
    head = ("| " + " | ".join(HEAD) + " |", "| --- |" + " ---: |" * (len(HEAD) - 1))
    cells = (" | ".join(map(_starred, row(summary))) for summary in found.summaries)
    return "\n".join((*head, *(f"| {line} |" for line in cells)))


def _starred(text: str) -> str:
    return cell(text).replace("*", "\\*")


def _claims(found: LatencyFindings) -> str:
    lines = ["| Claim | As checked | Verdict |", "| --- | --- | --- |"]
    for verdict in found.verdicts:
        symbol = f"{SYMBOLS[verdict.outcome]} **{verdict.outcome}**"
        lines.append(f"| {cell(verdict.name)} | `{verdict.claim.text}` | {symbol} |")
    return "\n".join(lines)


def _plots(plots: Mapping[str, str]) -> Iterator[str]:
    for name, file in plots.items():
        yield f"{PLOTS[name]}:\n\n![{PLOTS[name]}]({file})"
    if "timeline" not in plots:
        yield NO_TIMELINE
