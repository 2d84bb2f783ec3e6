"""The statistics of scenarios as rows of text, which terminal, Markdown and page show in their own forms."""

from collections.abc import Sequence

from atleastonce.latency.statistics import ENOUGH_FOR_P95, METHOD, Summary, seconds

HEAD = ("Scenario", "Min", "Avg", "Median", "P95", "Max", "Success", "Errors")
MARK = "*"


def row(summary: Summary) -> tuple[str, ...]:
    """Return the cells of a scenario; a p95 of too few samples carries a mark."""
    mark = MARK if summary.n < ENOUGH_FOR_P95 else ""
    times = [seconds(each) for each in (summary.min, summary.avg, summary.median)]
    cells = (
        *times,
        seconds(summary.p95) + mark,
        seconds(summary.max),
        str(summary.success),
        str(summary.errors),
    )
    return summary.scenario, *cells


def notes(summaries: Sequence[Summary]) -> list[str]:
    """Return what a reader of the table must know, a sentence each."""
    sizes = {summary.scenario: summary.n for summary in summaries}
    if len(set(sizes.values())) == 1:
        n = f"n = {next(iter(sizes.values()))} in each scenario"
    else:
        n = ", ".join(f"n = {size} of {name}" for name, size in sizes.items())
    told = [
        f"Seconds; {n}. All requests count, whatever was answered.",
        "Success is 2xx and nothing else; everything else, no answer included, is an error.",
        f"Percentiles: {METHOD}.",
    ]
    if any(size < ENOUGH_FOR_P95 for size in sizes.values()):
        told.append(
            f"{MARK} p95 of fewer than {ENOUGH_FOR_P95} samples: it lies between the two slowest, and says little."
        )
    return told
