"""A story as numbered lines of text: what the terminal, JUnit and Markdown show of a counterexample."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from atleastonce.report.curves import said
from atleastonce.report.story import Step, Story

_WIDEST = 46

Part = Literal["headline", "step", "fault", "marked", "difference", "curve", "replay"]


class Line(NamedTuple):
    """A line, and what it is: a terminal gives each part its own look."""

    text: str
    part: Part


def narrative(story: Story, replay: str = "") -> str:
    """Return a story as text; `replay` is the folder to replay it from, where there is one."""
    return "\n".join(line.text for line in lines(story, replay))


def lines(story: Story, replay: str = "") -> Iterator[Line]:
    """Yield the lines of a story."""
    yield Line(story.headline, "headline")
    several = len(story.participants) > 1
    columns = Columns(
        who=max(map(len, story.participants)) if several else 0,
        verb=max((len(step.verb) for step in story.steps if step.kind != "fault"), default=0),
        what=min(max(map(len, _aligned(story.steps)), default=0), _WIDEST),
    )
    numbers = (str(number) for number in range(1, len(story.steps) + 1))
    for step in story.steps:
        number = "" if step.kind == "gap" else next(numbers)
        yield Line(f"{number:>3}  {_step(step, columns)}".rstrip(), _part(step))
    for difference in story.differences or (story.reason,):
        yield Line(f"  {difference}", "difference")
    for curve in story.curves:
        yield Line(f"  {said(curve)}", "curve")
    if replay:
        yield Line(f"  replay: atleastonce replay {replay}", "replay")


class Columns(NamedTuple):
    """How wide the columns are: which service, where there are several; what was done; what to."""

    who: int
    verb: int
    what: int


def _aligned(steps: Iterable[Step]) -> Iterator[str]:
    """Yield what stands in the column before the remarks."""
    return (step.what for step in steps if step.kind not in {"fault", "gap"} and step.remark)


def _step(step: Step, columns: Columns) -> str:
    mark = f"   ◄ {step.mark}" if step.mark else ""
    who = f"{step.service:<{columns.who}}  " if columns.who else ""
    if step.kind == "fault":
        # It names its service itself.
        width = len(who) + columns.verb + 2 + columns.what
        return f"{_padded('✂ ' + step.what, width)}  {step.remark}{mark}"
    return f"{who}{step.verb:<{columns.verb}}  {_padded(step.what, columns.what)}  {step.remark}{mark}"


def _padded(text: str, width: int) -> str:
    return f"{text:<{width}}"


def _part(step: Step) -> Part:
    return "fault" if step.kind in {"fault", "again"} else "marked" if step.mark else "step"
