"""The words for faults, messages and places, as the reports use them."""

import tomllib
from collections.abc import Mapping

from atleastonce.history import Event, Header, queue_name
from atleastonce.schedule import Schedule, Trap

_BROKERS = {"rabbitmq": "RabbitMQ", "kafka": "Kafka", "http": "HTTP"}

ALLOWED: Mapping[str, str] = {
    "duplicate": "a publisher may send again after an unknown confirm",
    "poison": "a broker passes on any bytes, whoever wrote them",
    "ask": "what was not answered 2xx may be asked again",
    "ask again": "an answer may be lost on its way; who has not seen it asks again",
    "burst": "who clicks twice, or gives up waiting, asks again before there is an answer",
    "stop": "a service may be down while messages are accepted",
    "cut": "a connection may break at any moment; unacknowledged messages are redelivered",
    "isolate": "a network may be parted, and whole again later",
    "restart": "a broker may be restarted at any time",
    "unroute": "a queue may be deleted by an operator; an unroutable message is returned",
    "rewind": "offsets may be set back, by whoever wants records again; what is behind them is delivered once more",
    "forget": "a broker deletes the offsets of a group that was away too long, and records by a time of their own",
    "rebalance": "members of a group come and go; what was not committed goes to the next owner",
    "abort": "a transaction may be aborted; who reads what is committed never sees it",
    "wait": "a message may lie for any length of time",
}
"""The rules that allow what the actions of a schedule do; what its traps do is allowed by their faults."""

_STRUCK = {
    "kill": "service killed",
    "stop": "service stopped",
    "pause": "service stood still",
    "cut": "link cut",
    "hold": "link held",
    "noop": "nothing done",
    "fail": "answered 503",
    "time-out": "answer withheld",
}
BY_BROKER = frozenset({"deliver", "fetch", "confirm", "return", "response", "tx-commit-ok"})
"""What the broker sends; everything else comes from the service."""
_ORDINALS = {1: "first", 2: "second", 3: "third"}


def allowed(what: str) -> str:
    """Say why something may happen: a key of `ALLOWED`."""
    return f"allowed: {ALLOWED[what]}"


def fault_words(trap: Trap, event: Event, *, several: bool = False, call: str = "") -> str:
    """Say what a trap did, and when: ``service killed before ack(m1) reached the broker``.

    `event` is that of its springing; the one that was struck is named where there are several; `call` is the
    system call of a write point.
    """
    service = (trap.service if event.to else event.service) if several else ""
    struck = _STRUCK.get(trap.do, trap.do)
    if service:
        struck = f"{service}: {struck.removeprefix('service ')}"
    if trap.is_write:
        at = f"{struck} at its {ordinal(trap.nth)} write while {trap.during} was handled"
        return f"{at}: {call}" if call else at
    nth = f"the {ordinal(trap.nth)} " if trap.nth > 1 else ""
    end = "the service" if trap.event in BY_BROKER else "the broker"
    if event.to:
        end = event.service if trap.event in BY_BROKER else event.to
    reached = "reached" if trap.when == "before" else "had reached"
    later = f"{trap.later} " if trap.later else ""
    return f"{struck} {later}{trap.when} {nth}{trap.at} {reached} {end}"


def broker_name(kind: str) -> str:
    """Return the name of a kind of broker as people write it."""
    return _BROKERS.get(kind, kind or "broker")


def ordinal(number: int) -> str:
    """Return ``second``, ``third``, ``4th`` …."""
    return _ORDINALS.get(number, f"{number}th")


def named(message: str | None, schedule: Schedule) -> str:
    """Return a message's name, which says of a poison that it is one."""
    known = schedule.messages.get(message or "")
    return f"{message} (poison)" if known and known.poison is not None else str(message)


def introduced(message: str | None, header: Header) -> str:
    """Return a message's name with what it is: its business identity, or the kind of its poison."""
    known = header.schedule.messages.get(message or "")
    if known is None:
        return str(message)
    if known.poison is not None:
        kinds = _poison_kinds(header.contract_text)
        kind = kinds[known.poison] if known.poison < len(kinds) else known.id  # those of ours are named by it
        return f"{message} ({f'poison {kind}'.strip()})"
    return f"{message} ({known.id})" if known.id else str(message)


def _poison_kinds(contract: str) -> list[str]:
    """Return the names of the kinds of poison in the text of a contract, as far as it has any."""
    try:
        kinds = tomllib.loads(contract).get("poison", [])
        return [str(kind.get("name", "")) for kind in kinds]
    except (tomllib.TOMLDecodeError, AttributeError, TypeError):
        return []


def copy_number(event: Event) -> int:
    """Return which publication of its message an event is about; the first where nothing says otherwise."""
    number = (event.copy or "").rpartition("#")[2]
    return int(number) if number.isdecimal() else 1


def succeeded(status: int) -> bool:
    """Tell whether a status of HTTP is a 2xx."""
    return status // 100 == 2  # noqa: PLR2004 - as they say


def trap_of(event: Event, schedule: Schedule) -> Trap | None:
    """Return the trap that an event ``sprung`` is about, or None."""
    return next((trap for trap in schedule.traps if trap.describe() == event.note), None)


def place(event: Event) -> str:
    """Say where a message lies: its queue, or its topic and partition."""
    queue = queue_name(event.queue)
    if event.partition < 0:
        return queue
    return f"{queue}[{event.partition}]" if queue else f"partition {event.partition}"
