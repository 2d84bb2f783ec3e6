"""A story as numbered lines of text: what the terminal, JUnit and Markdown show of a counterexample."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from atleastonce.report.story import Step, Story

_WIDEST = 46

Part = Literal["headline", "step", "fault", "marked", "difference", "replay"]


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
    widths = (len(step.what) for step in story.steps if step.kind != "fault" and step.remark)
    width = min(max(widths, default=0), _WIDEST)
    verbs = max((len(step.verb) for step in story.steps if step.kind != "fault"), default=0)
    numbers = (str(number) for number in range(1, len(story.steps) + 1))
    for step in story.steps:
        number = "" if step.kind == "gap" else next(numbers)
        yield Line(f"{number:>3}  {_step(step, verbs, width)}".rstrip(), _part(step))
    for difference in story.differences or (story.reason,):
        yield Line(f"  {difference}", "difference")
    if replay:
        yield Line(f"  replay: atleastonce replay {replay}", "replay")


def _step(step: Step, verbs: int, width: int) -> str:
    mark = f"   ◄ {step.mark}" if step.mark else ""
    if step.kind == "fault":
        return f"{_padded('✂ ' + step.what, verbs + 2 + width)}  {step.remark}{mark}"
    return f"{step.verb:<{verbs}}  {_padded(step.what, width)}  {step.remark}{mark}"


def _padded(text: str, width: int) -> str:
    return f"{text:<{width}}"


def _part(step: Step) -> Part:
    return "fault" if step.kind in {"fault", "again"} else "marked" if step.mark else "step"
