"""Markdown: the report, and counterexamples with Mermaid sequence charts, which GitHub and GitLab draw."""

from collections.abc import Iterator, Mapping, Sequence

from atleastonce.findings import Findings
from atleastonce.report.curves import said, steepest
from atleastonce.report.narrative import narrative
from atleastonce.report.rows import SYMBOLS, Row, counted, numbered, ran, rows, unexplained, versions
from atleastonce.report.story import Step, Story
from atleastonce.report.telling import of_counterexample
from atleastonce.report.wording import broker_name


def report(found: Sequence[Findings], rules: Mapping[str, str], home: str) -> str:
    """Return ``report.md``; `rules` says why each fault is allowed, `home` is the report's folder."""
    parts = ["# atleastonce report", _table(rows(found)), *_unknowns(found)]
    for folder, _, counterexample in numbered(found):
        story = of_counterexample(counterexample, rules)
        parts += [f"## {counterexample.promise} is broken", sequence(story, f"{home}/{folder}")]
    parts += [each for findings in found for each in _outages(findings)]
    parts += [_about(findings) for findings in found]
    return "\n\n".join(parts) + "\n"


def sequence(story: Story, replay: str = "") -> str:
    """Return a story as text and as a chart; `replay` is the folder to replay it from."""
    return f"```text\n{narrative(story, replay)}\n```\n\n```mermaid\n{mermaid(story)}\n```"


def _table(verdicts: Sequence[Row]) -> str:
    head = "| service | broker | promise | verdict | kept | broken | unknown | why |"
    lines = [head, "| --- | --- | --- | --- | ---: | ---: | ---: | --- |"]
    for row in verdicts:
        verdict = f"{SYMBOLS[row.verdict]} **{row.verdict}**"
        cells = (row.service, row.broker, row.promise, verdict, row.kept, row.broken, row.unknown, row.reason)
        lines.append("| " + " | ".join(cell(str(each)) for each in cells) + " |")
    return "\n".join(lines)


def _unknowns(found: Sequence[Findings]) -> Iterator[str]:
    lines = [
        f"- {findings.service}, {promise}: {cell(why)} ({counted(times, 'time')})"
        for findings in found
        for promise, why, times in unexplained(findings)
    ]
    if lines:
        yield "## What could not be found out"
        yield "\n".join(lines)


def _outages(findings: Findings) -> Iterator[str]:
    """Yield how the backlogs of a service drained, a line per curve."""
    lines = [f"- `{said(curve)}`\\\n  {cell(curve.schedule)}" for curve in steepest(findings)]
    if lines:
        yield f"## What waited while {findings.service} was down, on {broker_name(findings.broker)}"
        yield "\n".join(lines)


def _about(findings: Findings) -> str:
    title = f"## {findings.service} on {broker_name(findings.broker)}"
    known = {**findings.settings, **versions(findings)}
    remarks = (f"- {cell(remark)}" for remark in findings.remarks)
    return "\n".join(
        (
            title,
            "",
            f"- {ran(findings)}",
            *remarks,
            *(f"- {name}: `{value}`" for name, value in known.items()),
        )
    )


def cell(text: str) -> str:
    """Return text that neither ends a table's cell nor turns into markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


# -- Mermaid


def mermaid(story: Story) -> str:
    """Return a story as the text of a Mermaid sequence chart."""
    lines = [
        "sequenceDiagram",
        "    participant runner as atleastonce",
        *([f"    participant broker as {_safe(broker_name(story.broker))}"] if story.has_broker else []),
        *(
            f"    participant {_lane(number)} as {_safe(name)}"
            for number, name in enumerate(story.participants, start=1)
        ),
    ]
    return "\n".join((*lines, *(f"    {line}" for step in story.steps for line in _arrow(story, step))))


def _lane(number: int) -> str:
    return f"service{number}" if number > 1 else "service"


def _arrow(story: Story, step: Step) -> Iterator[str]:
    source, target = story.lane(step, step.source), story.lane(step, step.target)
    last = _lane(len(story.participants))
    if step.kind == "gap":
        yield f"Note over runner,{last}: … {_safe(step.what)}"
    elif step.kind == "fault":
        if step.lost:
            yield f"{source}-x{target}: {_safe(step.lost)}"
        allowed = f"<br/>{_safe(step.remark)}" if step.remark else ""
        yield f"Note over runner,{last}: ✂ {_safe(step.what)}{allowed}"
    else:
        remark = f"<br/>{_safe(step.remark)}" if step.remark else ""
        # An arrow from a participant to itself is what happens to it, or what it holds.
        yield f"{source}->>{target}: {_safe(f'{step.verb} {step.what}')}{remark}"
    if step.mark:
        yield f"Note right of {last}: ◄ {_safe(step.mark)}"


def _safe(text: str) -> str:
    """Return text in which nothing ends a statement of Mermaid's, or is markup."""
    codes = {"#": "#35;", ";": "#59;", "<": "#lt;", ">": "#gt;"}
    return "".join(codes.get(char, char) for char in " ".join(text.split()))
