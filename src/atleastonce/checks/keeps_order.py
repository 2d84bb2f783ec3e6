"""keeps-order: per key, effects follow the order of publication.

Judged only where nothing that a service had in hand was given back: what is delivered again may well come late. So
messages may wait for a service that is stopped before they come, and is started behind them. The order is that of
the outputs, each message counted at its first one in a queue (on Kafka, one key of the output), and that of what the
service published on one link; what an observed address shows has no order. Inputs count together where one queue and
one partition kept their order. Linear in the events.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from atleastonce.checks.case import Case, Unjudgeable, judged, ours
from atleastonce.checks.signs import interruption, is_delivered, is_published
from atleastonce.history import Event, History, queue_name
from atleastonce.schedule import Schedule
from atleastonce.verdict import Verdict

PROMISE = "keeps-order"
NO_OUTPUTS = "no outputs name two messages of one key (what is observed has no order): see [output]"

_Place = tuple[str, ...]


@dataclass(frozen=True)
class _Inputs:
    """The messages that share a key, and a queue that keeps their order, as they were published."""

    key: str
    messages: tuple[str, ...]

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Which of them each was."""
        return {message: number for number, message in enumerate(self.messages)}


def check(history: History) -> Verdict:
    """Judge a history; the occasion are two messages of one key that were in flight together."""
    return judged(PROMISE, history, _judged)


def _judged(case: Case) -> Verdict:
    schedule = case.history.header.schedule
    if schedule.traps or schedule.poisons or not _is_calm(schedule):
        raise Unjudgeable(
            "order is judged where each message is sent once, none is poison, and nothing is done",
            occasion=False,
        )
    case.became_quiet()
    if (event := _given_back(case.history)) is not None:
        raise Unjudgeable(
            f"messages may have been given back ({event.event}): order is judged without",
            occasion="stop" not in schedule.verbs,
        )
    inputs = _inputs(case)
    together = list(filter(_in_flight(case), inputs)) if inputs else []
    if not together:
        raise Unjudgeable("no two messages of one key were in flight together: see input.key", occasion=False)
    orders = _orders(case)
    judgeable = list(_judgeable(together, orders))
    if not judgeable:
        raise Unjudgeable(NO_OUTPUTS, occasion=False)
    wrong: dict[tuple[str, str], str] = {}
    for each, where, order in judgeable:
        for pair in _overtaken(each, order):
            wrong.setdefault(pair, f"{' before '.join(pair)} in queue {queue_name(where)} (key {each.key})")
    if not wrong:
        said = "; ".join(dict.fromkeys(f"{each.key}: {', '.join(order)}" for each, _, order in judgeable))
        reason = f"outputs came in the order of publication ({said})"
        return Verdict(promise=PROMISE, outcome="kept", reason=reason)
    return Verdict(
        promise=PROMISE,
        outcome="broken",
        reason="messages of one key took effect in another order than they were published",
        evidence=tuple(wrong.values()),
        blamed=ours(message for pair in wrong for message in pair),
        surplus=True,
    )


def _is_calm(schedule: Schedule) -> bool:
    """Tell whether each message is sent once, and at most waits for a service that is stopped before the first one."""
    verbs = [action.verb for action in schedule.actions]
    publishing = verbs.index("publish") if "publish" in verbs else 0
    return (
        {*verbs} <= {"stop", "publish", "start"}
        and "stop" not in verbs[publishing:]
        and len(schedule.published) == verbs.count("publish")
    )


def _given_back(history: History) -> Event | None:
    """Return the first event, behind the first delivery, by which messages may have been given back, or None."""
    begun = (number for number, event in enumerate(history.events) if is_delivered(event))
    return interruption(history, next(begun, 0))


def _inputs(case: Case) -> list[_Inputs]:
    """Return the messages by key, queue and partition, where two or more share them."""
    keys: dict[str, str] = case.history.header.declared.get("keys", {})
    groups: dict[tuple[str, str, int], list[str]] = {}
    for event in case.history.named("published"):
        if event.ok and event.message in keys and event.message in case.innocent:
            group = groups.setdefault((keys[event.message], event.queue, event.partition), [])
            group.append(event.message)
    return [_Inputs(key, tuple(each)) for (key, _, _), each in groups.items() if len(each) > 1]


def _in_flight(case: Case) -> Callable[[_Inputs], bool]:
    """Return what tells whether one of them was there before the one in front of it had been settled."""
    there: dict[str, int] = {}
    settled: dict[str, int] = {}
    for index, event in enumerate(case.history.events):
        if event.message and (is_published(event) or is_delivered(event)):
            there.setdefault(event.message, index)
        if event.message and event.settles:
            settled.setdefault(event.message, index)
    never = len(case.history.events)
    return lambda inputs: any(there[two] < settled.get(one, never) for one, two in pairwise(inputs.messages))


def _orders(case: Case) -> dict[_Place, tuple[str, ...]]:
    """Return for each place where outputs have an order the messages, at their first one there."""
    kafka = case.history.header.broker == "kafka"
    found: dict[_Place, dict[str, None]] = {}
    for output in case.observed("faulty").outputs:
        if output.message and not (kafka and output.key is None):
            place: _Place = (output.queue, output.key or "") if kafka else (output.queue,)
            found.setdefault(place, {}).setdefault(output.message)
    ends = case.history.header.declared.get("ends", ())
    for event in case.history.named("publish", "produce"):
        if event.side == "subject" and event.message:
            # What carries our copy to a queue that is no end is the input again, to be tried later.
            if event.copy and event.queue not in ends and "/" not in event.queue:
                continue
            place = (event.queue, event.service, str(event.link), str(event.partition))
            found.setdefault(place, {}).setdefault(event.message)
    return {place: tuple(messages) for place, messages in found.items()}


def _judgeable(
    together: Iterable[_Inputs], orders: dict[_Place, tuple[str, ...]]
) -> Iterator[tuple[_Inputs, str, tuple[str, ...]]]:
    """Yield what shares a key with where the outputs of two or more of its messages have an order, and that order."""
    of: dict[str, list[_Inputs]] = {}
    for inputs in together:
        for message in inputs.messages:
            of.setdefault(message, []).append(inputs)
    for (where, *_), order in orders.items():
        mine: dict[int, tuple[_Inputs, list[str]]] = {}
        for message in order:
            for inputs in of.get(message, ()):
                mine.setdefault(id(inputs), (inputs, []))[1].append(message)
        yield from ((inputs, where, tuple(found)) for inputs, found in mine.values() if len(found) > 1)


def _overtaken(inputs: _Inputs, order: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each message that came right before one published earlier, with that."""
    for one, two in pairwise(order):
        if inputs.numbers[one] > inputs.numbers[two]:
            yield one, two
