"""Latencies in a terminal: a line for each request, and at the end table and verdicts."""

from typing import TYPE_CHECKING

from atleastonce.latency.findings import LatencyFindings
from atleastonce.latency.samples import Sample
from atleastonce.latency.statistics import seconds
from atleastonce.report.latency_markdown import sentence
from atleastonce.report.latency_table import HEAD, notes, row
from atleastonce.report.rows import SYMBOLS
from atleastonce.report.terminal import COLOURS

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def progress(sample: Sample, requests: int, ended: str) -> str:
    """Return the line of a request: ``[delay_2s] Request 3/10: 2.014s (HTTP 200)``."""
    return f"[{sample.scenario}] Request {sample.request}/{requests}: {seconds(sample.seconds)}s ({ended})"


def show(console: "Console", found: LatencyFindings) -> None:
    """Print the table, what must be known about it, each verdict with its reason, and the remarks."""
    if found.summaries:
        console.print()
        console.print(_table(found))
        for note in notes(found.summaries):
            console.print(note, style="dim", markup=False, soft_wrap=True)
    console.print()
    for verdict in found.verdicts:
        head = f"{SYMBOLS[verdict.outcome]} {verdict.outcome}"
        console.print(head, style=COLOURS[verdict.outcome], markup=False, end="")
        console.print(f"  {verdict.name}: {verdict.claim.text}", markup=False, soft_wrap=True)
        console.print(f"      {verdict.reason}", style="dim", markup=False, soft_wrap=True)
    for remark in found.remarks:
        console.print()
        console.print(remark, markup=False, soft_wrap=True)
    console.print()
    console.print(sentence(found), markup=False, soft_wrap=True)


def _table(found: LatencyFindings) -> "Table":
    from rich import box  # noqa: PLC0415 - `--help` does without rich
    from rich.table import Table  # noqa: PLC0415 - likewise

    made = Table(box=box.MARKDOWN)
    for name in HEAD:
        made.add_column(name, justify="left" if name == HEAD[0] else "right", no_wrap=True)
    for summary in found.summaries:
        made.add_row(*row(summary))
    return made
