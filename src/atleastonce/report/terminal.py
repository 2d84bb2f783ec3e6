"""What the terminal shows at the end: the verdict table, the counterexamples, and one line of summary."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from atleastonce.findings import Findings
from atleastonce.report.curves import done, said, steepest
from atleastonce.report.narrative import Part, lines
from atleastonce.report.rows import SYMBOLS, counted, grouped, rows, unexplored
from atleastonce.report.story import Story
from atleastonce.verdict import Outcome

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

COLOURS: dict[Outcome, str] = {"kept": "green", "broken": "bold red", "unknown": "yellow"}
_ABOVE = "(as above)"
_PARTS: dict[Part, str] = {
    "headline": "bold red",
    "step": "",
    "fault": "yellow",
    "marked": "red",
    "difference": "red",
    "curve": "cyan",
    "replay": "dim",
}
MEANINGS: Mapping[int, str] = {
    0: "every promise kept",
    1: "a promise is broken",
    2: "the call or the contract is wrong",
    3: "nothing is broken, but not everything could be found out",
}
"""What the exit code of a command that judges means (DESIGN section 8)."""


def show(console: "Console", found: Sequence[Findings], stories: Sequence[tuple[Story, str]]) -> None:
    """Print the verdicts, why the unknown ones are, the outages, each story with the folder to replay it."""
    console.print(table(found))
    for about in _unknown(found):
        console.print(about, style=COLOURS["unknown"], markup=False, soft_wrap=True)
    for findings in found:
        for remark in findings.remarks:
            console.print(remark, style=COLOURS["unknown"], markup=False, soft_wrap=True)
        drawn = steepest(findings)
        for curve in drawn:
            about = f"{findings.service} on {findings.broker}: " if len(found) > 1 else ""
            which = f" ({done(curve)})" if len(drawn) > 1 else ""
            console.print(about + said(curve) + which, style=_PARTS["curve"], markup=False, soft_wrap=True)
    for story, replay in stories:
        console.print()
        console.print(told(story, replay), soft_wrap=True)


def _unknown(found: Sequence[Findings]) -> Iterator[str]:
    """Say of each promise that is unknown why; what may be the reason for several, once.

    That is the end of a log, and where the first clean runs differ.
    """
    told = set[str]()
    for findings, mine in grouped(found):
        for row in (row for row in mine if row.verdict == "unknown"):
            reason, _, log = row.reason.partition("\n")
            if (differ := findings.restless) in told:
                reason = reason.replace(differ, f"two clean runs differ {_ABOVE}")
            more = "" if not log else f"\n    {_ABOVE}" if log in told else f"\n{log}"
            told |= {each for each in (differ, log) if each and each in row.reason}
            yield f"{row.promise} of {row.service} on {row.broker} is unknown: {reason}{more}"


def table(found: Sequence[Findings]) -> "Table":
    """Return the verdicts as a table, one row per promise."""
    from rich import box  # noqa: PLC0415 - `--help` and the services that we start do without rich
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    several = len(found) > 1
    for name in (*(("service", "broker") if several else ()), "promise", "verdict"):
        made.add_column(name, no_wrap=True)
    for name in ("kept", "broken", "unknown"):
        made.add_column(name, justify="right")
    for row in rows(found):
        cells: list[RenderableType] = [row.service, row.broker] if several else []
        cells += [row.promise, Text(f"{SYMBOLS[row.verdict]} {row.verdict}", COLOURS[row.verdict])]
        made.add_row(*cells, str(row.kept), str(row.broken), str(row.unknown))
    return made


def told(story: Story, replay: str = "") -> "Text":
    """Return a story in the colours of a terminal."""
    from rich.text import Text  # noqa: PLC0415 - see `table`

    return Text("\n").join(Text(line.text, _PARTS[line.part]) for line in lines(story, replay))


def summary(found: Sequence[Findings], ran_on: str, end: str) -> str:
    """Say in one line what came out, and where nothing was broken, what could have been tried as well.

    `ran_on` names brokers and providers (``RabbitMQ 4.0.5 (docker)``), `end` the exit code and its meaning.
    """
    outcomes = [row.verdict for row in rows(found)]
    counts = ", ".join(f"{outcomes.count(each)} {each}" for each in SYMBOLS if each in outcomes)
    done, planned = sum(each.carried_out for each in found), sum(each.planned for each in found)
    schedules = counted(done, "schedule") if done == planned else f"{done} of {planned} schedules"
    seconds = sum(each.seconds for each in found)
    untried = "" if "broken" in outcomes else unexplored(found)
    facts = (counts or "nothing judged", schedules, untried, ran_on, f"{seconds:.1f} s")
    return " · ".join((*filter(None, facts), end))
