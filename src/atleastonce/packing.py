"""Packs small schedules into one, so that a service carries them out side by side, and takes its history apart.

Schedules that only publish do not disturb each other: every message has ids of its own, and says so wherever it
turns up. So many of them share one namespace, one wait for quiet and one pair of snapshots, which is where the time
of a small schedule goes. Both functions are pure.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from atleastonce.history import Event, History, Observation, Output
from atleastonce.schedule import SENTINEL, Schedule, publish

_OWNER = re.compile(r"<(\d+)~")
"""How the name of a packed message begins where an id stands for it: ``<7~m1.id>``."""

_Shares = Mapping[str, Sequence[Any]]


def packable(schedule: Schedule) -> bool:
    """Tell whether a schedule can share a lane: it publishes one by one, and leaves the sentinel to the runner."""
    return not schedule.traps and schedule.verbs <= {"publish"} and SENTINEL not in schedule.messages


def pack(schedules: Sequence[Schedule]) -> Schedule:
    """Return one schedule that does what these do, one behind the other; message m1 of the eighth is ``7~m1``."""
    return msgspec.structs.replace(
        schedules[0],
        messages={
            f"{number}~{name}": message
            for number, schedule in enumerate(schedules)
            for name, message in schedule.messages.items()
        },
        actions=publish(
            *(
                f"{number}~{action.target}"
                for number, schedule in enumerate(schedules)
                for action in schedule.actions
            )
        ),
    )


def unpack(history: History, schedules: Sequence[Schedule]) -> list[History]:
    """Return the history of each schedule that was packed: its own part, and what belongs to nobody.

    A value that names no message (a stock) is that of all of them together, in the clean runs too: where it
    differs, nothing tells whose doing it is, and the schedules must be carried out one by one.
    """
    events = _shared(history.events, _event_owner)
    seen = [
        (each, _by_owner(each.values), _shared(each.outputs, _owner), _shared(each.dead_letters, _owner))
        for each in history.observations
    ]
    keys: dict[str, str] = history.header.declared.get("keys", {})
    return [
        History(
            header=msgspec.structs.replace(
                history.header,
                schedule=schedule,
                declared={**history.header.declared, "keys": _own_keys(keys, number)},
            ),
            events=tuple(_own_event(each, number) for each in _of(events, number)),
            observations=tuple(
                _own_observation(
                    msgspec.structs.replace(
                        each,
                        values={**values.get("", {}), **values.get(f"{number}", {})},
                        outputs=tuple(_of(outputs, number)),
                        dead_letters=tuple(_of(letters, number)),
                    ),
                    number,
                )
                for each, values, outputs, letters in seen
            ),
        )
        for number, schedule in enumerate(schedules)
    ]


# -- whose is it


def _event_owner(event: Event) -> str:
    return _owner_of(event.message)


def _owner(output: Output) -> str:
    return _owner_of(output.message)


def _owner_of(message: str | None) -> str:
    """Return the number of the schedule that a message belongs to; nothing where it belongs to all of them."""
    return (message or "").rpartition("~")[0]


def _shared(items: Iterable[Any], owner: Any) -> dict[str, list[tuple[int, Any]]]:
    """Return items by owner, each with its place in the whole."""
    found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for place, item in enumerate(items):
        found[owner(item)].append((place, item))
    return found


def _of(items: Mapping[str, list[tuple[int, Any]]], number: int) -> list[Any]:
    """Return one schedule's items and those of nobody, in the order of the whole."""
    both = (*items.get("", ()), *items.get(f"{number}", ()))
    return [item for _, item in sorted(both, key=lambda placed: placed[0])]


def _by_owner(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for where, value in values.items():
        owner = _OWNER.search(where)
        found[owner[1] if owner else ""][where] = value
    return found


# -- under its own name


def _own_event(event: Event, number: int) -> Event:
    if not _owner_of(event.message):
        return event
    prefix = f"{number}~"
    return msgspec.structs.replace(
        event,
        message=(event.message or "").removeprefix(prefix),
        copy=None if event.copy is None else event.copy.removeprefix(prefix),
    )


def _own_keys(keys: Mapping[str, str], number: int) -> dict[str, str]:
    prefix = f"{number}~"
    return {
        name.removeprefix(prefix): key for name, key in keys.items() if name.startswith((prefix, SENTINEL))
    }


def _own_observation(seen: Observation, number: int) -> Observation:
    """Rename what is this schedule's, wherever it stands in the observation."""
    text = msgspec.json.encode(seen).decode()
    text = text.replace(f"<{number}~", "<").replace(f'"message":"{number}~', '"message":"')
    return msgspec.json.decode(text, type=Observation)
