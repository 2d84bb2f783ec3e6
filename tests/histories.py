"""A tiny notation for histories: what happened, a word or two per event, and what was seen.

``published m1#1; deliver m1#1; ack m1#1; quiet`` is a whole history. The first word is the event; then
come, in any order: a copy (``m1#1``) or a message (``m1``), ``@2`` for the link (``@2/5``: its channel),
``>retry`` for a queue, ``*shop`` for a service, ``^depot`` for the one that it asks over HTTP, ``~first`` for
what an event is one of, ``&7`` for an offset, ``=8`` for a size or status, ``+0.5`` for the seconds
since the event before, ``again`` for redelivered, ``auto`` for what settles itself. ``requeue`` is a nack that gives
back.
``quiet! why`` did not succeed; what stands after ``!`` or ``:`` is the note. Each delivery and publication has a
tag of its own. Messages whose name begins with ``p`` are poison.
"""

import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

from atleastonce import effects
from atleastonce.history import Event, Header, History, Moment, Observation, Output, Side
from atleastonce.schedule import SENTINEL, Action, Message, Schedule, Trap, publish

_SIDES: dict[str, Side] = {
    "deliver": "broker",
    "fetch": "broker",
    "confirm": "broker",
    "return": "broker",
    "response": "broker",
}
_SUBJECTS = {"ack", "nack", "reject", "publish", "produce", "commit", "consume", "request"}
_SETTLES = {"ack", "nack", "reject", "response", "seen"}
_WORDS = re.compile(r"(?P<words>[^!:]*)(?P<mark>[!:]?)(?P<note>.*)", re.DOTALL)


class Seen(NamedTuple):
    """What is seen at one moment."""

    values: dict[str, Any]
    outputs: str
    dead: str
    unreadable: str


def seen(
    values: dict[str, Any] | None = None, outputs: str = "", dead: str = "", unreadable: str = ""
) -> Seen:
    """Return what is seen: values by address, outputs as ``m1:id1 m1:id2 m2``, dead letters as ``m3 ?``."""
    return Seen(values or {}, outputs, dead, unreadable)


def history(
    happened: str,
    clean: Seen,
    faulty: Seen | None,
    *,
    again: Seen | None = None,
    before: dict[str, Any] | None = None,
    traps: tuple[Trap, ...] = (),
    ignore: tuple[str, ...] = (),
    actions: tuple[Action, ...] | None = None,
    **declared: Any,
) -> History:
    """Return a history; `again` is the second clean run, `before` the values that all runs began with.

    Its actions are those that its events tell of, unless they are given; `declared` are more of the contract.
    """
    happenings = tuple(events(happened))
    done = planned(happenings) if actions is None else actions
    names = dict.fromkeys(each.target for each in done if each.verb == "publish")
    moments: dict[Moment, Seen | None] = {
        "before": seen(before),
        "clean-1": _changed(clean, before, ignore),
        "clean-2": _changed(again or clean, before, ignore),
        "faulty": faulty,
    }
    return History(
        header=Header(
            schedule=Schedule(
                messages={n: Message(id=n, poison=0 if n.startswith("p") else None) for n in names},
                actions=done,
                traps=traps,
            ),
            declared={
                "ends": ["out", "dead"],
                "dead_letters": "dead",
                "ignore": list(ignore),
                **declared,
            },
        ),
        events=happenings,
        observations=tuple(
            _observation(moment, each) for moment, each in moments.items() if each is not None
        ),
    )


_VERBS = {
    "start": "start",
    "stop": "stop",
    "cut": "cut",
    "isolated": "isolate",
    "mended": "mend",
    "unrouted": "unroute",
    "rerouted": "reroute",
}


def planned(happened: tuple[Event, ...]) -> tuple[Action, ...]:
    """Return the actions that events tell of: a message that was asked more than once was published once."""
    copies: set[str] = set()
    actions: list[Action] = []
    for event in happened:
        if event.event in ("published", "asked") and event.message and event.message != SENTINEL:
            actions += publish(event.message) if event.copy not in copies else ()
            copies.add(event.copy or "")
        elif event.event == "broker-restarted":
            actions.append(Action(restart="broker"))
        elif (verb := _VERBS.get(event.event)) is not None:
            fields: dict[str, Any] = {verb: event.queue or event.service}
            actions.append(Action(**fields))
    return tuple(actions)


def events(happened: str) -> Iterator[Event]:
    """Yield the events of a text in the notation."""
    tags, given, now = count(1), dict[tuple[str, str | None], int](), 0.0
    for text in filter(None, map(str.strip, happened.split(";"))):
        parts = _WORDS.fullmatch(text)
        assert parts is not None
        name, *words = parts["words"].split()
        fields: dict[str, Any] = {
            "ok": parts["mark"] != "!",
            "note": parts["note"].strip(),
            "link": 1,
            "channel": 1,
        }
        for word in words:
            fields |= _field(word)
        now = fields["t"] = round(now + fields.pop("later", 0.0), 6)
        if name == "requeue":
            name, fields["requeue"] = "nack", True
        if name in ("deliver", "publish"):
            fields["tag"] = given[name, fields.get("copy")] = next(tags)
        elif name in ("ack", "nack", "reject", "confirm"):
            of = "publish" if name == "confirm" else "deliver"
            fields["tag"] = given.get((of, fields.get("copy")), 0)
        if "to" in fields and name in ("request", "response"):
            asked = (fields["to"], fields.get("message"))
            given[asked] = fields["tag"] = next(tags) if name == "request" else given.get(asked, 0)
            fields |= {"settles": False, "of": "request" if name == "response" else ""}
        fields.setdefault("settles", name in _SETTLES and not fields.get("requeue", False))
        if name == "closed" and "/" not in text:
            fields["channel"] = 0
        yield Event(event=name, side="subject" if name in _SUBJECTS else _SIDES.get(name, "runner"), **fields)


_FIELDS: dict[str, tuple[str, Callable[[str], Any]]] = {
    ">": ("queue", str),
    "*": ("service", str),
    "^": ("to", str),
    "~": ("of", str),
    "=": ("size", int),
    "+": ("later", float),
    "&": ("offset", int),
}


def _field(word: str) -> dict[str, Any]:
    if word.startswith("@"):
        link, _, channel = word[1:].partition("/")
        return {"link": int(link), "channel": int(channel or 1)}
    if (field := _FIELDS.get(word[0])) is not None:
        name, of = field
        return {name: of(word[1:])}
    if word in ("again", "auto"):
        return {"redelivered" if word == "again" else "settles": True}
    message, number, _ = word.partition("#")
    return {"message": message, "copy": word if number else None}


def _changed(clean: Seen, before: dict[str, Any] | None, ignore: tuple[str, ...]) -> Seen:
    return clean._replace(values=effects.changes(before or {}, clean.values, ignore))


def _observation(moment: Moment, what: Seen) -> Observation:
    return Observation(
        observed=moment,
        values=what.values,
        outputs=outputs(what.outputs),
        dead_letters=outputs(what.dead, queue="dead"),
        unreadable=what.unreadable,
    )


def outputs(text: str, queue: str = "out") -> tuple[Output, ...]:
    """Return the outputs of a text: ``m1:id1 m2``; ``?`` names no message, in ``p1!body`` the body changed."""
    words = (word.partition("!") for word in text.split())
    pairs = ((*word.partition(":"), changed) for word, _, changed in words)
    return tuple(
        Output(
            queue=queue,
            message=None if name == "?" else name,
            id=identity or None,
            changed=(changed,) if changed else (),
        )
        for name, _, identity, changed in pairs
    )
