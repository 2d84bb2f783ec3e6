"""Makes a story short: neighbours that are alike become one step, many deliveries of one message one line."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from atleastonce.history import Event
from atleastonce.report.rows import counted
from atleastonce.report.story import Step

_MERGED = frozenset({"publish", "deliver", "fetch", "ack", "commit", "ask"})
_DELIVERIES = frozenset({"deliver", "fetch"})
_ENDED = frozenset({"exit", "exited"})
_LIFE = _ENDED | {"start"}
_REPEATED = 4
"""How many deliveries of one message are told one by one."""
_SHOWN = 2
_LISTED = 4

Told = tuple[Event, Step]


def joined(steps: Iterable[Step]) -> list[Step]:
    """Make one step of neighbours that differ in their message only; the same one again stays apart."""
    groups: list[list[Step]] = []
    for step in steps:
        last = groups[-1][-1] if groups else None
        alike = last is not None and replace(last, what="", t=0.0) == replace(step, what="", t=0.0)
        differs = bool(groups) and step.what not in {each.what for each in groups[-1]}
        if alike and differs and step.verb in _MERGED and not step.mark:
            groups[-1].append(step)
        else:
            groups.append([step])
    return [replace(each[0], what=_listed([step.what for step in each])) for each in groups]


def _listed(names: Sequence[str]) -> str:
    if len(names) <= _LISTED:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} … {names[-1]}, {len(names)} of them"


def folded(told: Sequence[Told], names: dict[str, str]) -> list[Step]:
    """Leave out most deliveries of a message that came again and again, with what the service did about each.

    A line says how many; faults and marks stay. `names` are the messages' names for people.
    """
    left_out = _left_out(told)
    steps: list[Step] = []
    open_gaps: dict[str, tuple[int, Counter[str]]] = {}
    for index, (event, step) in enumerate(told):
        message = left_out.get(index)
        if message is None:
            open_gaps.pop(event.message or "", None)
            steps.append(step)
            continue
        if message not in open_gaps:
            open_gaps[message] = len(steps), Counter()
            steps.append(Step("…", kind="gap", t=event.t))
        at, counts = open_gaps[message]
        counts["delivered"] += event.event in _DELIVERIES
        counts["ended"] += event.event in _ENDED
        steps[at] = replace(steps[at], what=_said(names.get(message, message), counts, event.service))
    return steps


def _left_out(told: Sequence[Told]) -> dict[int, str]:
    """Return the steps that are too many by index, each with the message that came so often."""
    deliveries: defaultdict[str, list[int]] = defaultdict(list)
    for index, (event, _) in enumerate(told):
        if event.event in _DELIVERIES and event.message:
            deliveries[event.message].append(index)
    left_out: dict[int, str] = {}
    for message, places in deliveries.items():
        if len(places) <= _REPEATED:
            continue
        for index in range(places[_SHOWN], places[-1]):
            event, step = told[index]
            about_it = event.message == message or event.event in _LIFE
            if about_it and step.kind == "step" and not step.mark:
                left_out.setdefault(index, message)
    return left_out


def _said(name: str, counts: Counter[str], service: str) -> str:
    said = []
    if counts["delivered"]:
        said.append(f"{name} delivered {counted(counts['delivered'], 'more time')}")
    if counts["ended"]:
        said.append(f"{service} ended {counted(counts['ended'], 'more time')}")
    return ", ".join(said) or f"more about {name}"
