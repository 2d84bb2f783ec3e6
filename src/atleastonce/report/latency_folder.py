"""Writes what was found out about latencies into a folder: samples, verdicts, Markdown, page and plots."""

from pathlib import Path

import msgspec

from atleastonce.latency.findings import LatencyFindings
from atleastonce.latency.samples import written
from atleastonce.report import latency_markdown, latency_page
from atleastonce.report.folder import write_text
from atleastonce.report.latency_drawing import alone
from atleastonce.report.latency_plots import apart, rows, together
from atleastonce.report.latency_timeline import lines, timeline

SAMPLES = "latency_results.csv"


def write(folder: Path, found: LatencyFindings) -> Path:
    """Write everything and return the page, which comes last; raise OSError where that cannot be written."""
    name = found.latency.name
    drawn = drawings(found)
    files = {plot: f"{name}-{plot}.svg" for plot in drawn}
    for plot, drawing in drawn.items():
        write_text(folder / files[plot], alone(drawing))
    write_text(folder / SAMPLES, written(found.measured.samples))
    write_text(folder / f"{name}.json", _json(found))
    write_text(folder / f"{name}.md", latency_markdown.report(found, files))
    page = folder / f"{name}.html"
    write_text(page, latency_page.page(found, drawn))
    return page


def drawings(found: LatencyFindings) -> dict[str, str]:
    """Return the plots that can be drawn, as SVG."""
    drawn = {}
    if shown := rows(found):
        drawn = {"together": together(shown), "apart": apart(shown)}
    if timed := lines(found):
        drawn["timeline"] = timeline(timed)
    return drawn


def _json(found: LatencyFindings) -> str:
    """Return verdicts, statistics and attempts for programs."""
    made = {
        "outcome": found.outcome,
        "claims": [
            {"name": each.name, "claim": each.claim.text, "verdict": each.outcome, "reason": each.reason}
            for each in found.verdicts
        ],
        "scenarios": found.summaries,
        "attempts": found.measured.attempts,
        "threads were woken late by, s": found.measured.late,
    }
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n"
