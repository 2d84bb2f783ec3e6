"""A schedule is what will be done to a service, as plain data: messages, actions and traps.

Kept in ``schedule.json`` (CONTRACT: *A schedule*). An action is one thing the runner does; a trap waits in
the relay for a protocol event of one message, then lets a fault strike.
"""

import difflib
import itertools
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec

from atleastonce.durations import Duration
from atleastonce.errors import UsageError

When = Literal["before", "after"]
Verb = Literal[
    "publish", "burst", "start", "stop", "cut", "isolate", "mend", "restart", "unroute", "reroute", "wait", "replay",
    "rewind", "forget", "abort", "rebalance",
]  # fmt: skip
_VERBS: tuple[Verb, ...] = get_args(Verb)
SENDS: frozenset[Verb] = frozenset({"publish", "burst"})
"""The verbs that send copies of a message, which the service has to take."""
BURST = 4
"""How many copies a burst has: of two that are sent together, one may be answered before the other is read."""
OF_A_SERVICE: frozenset[Verb] = frozenset(
    {"start", "stop", "cut", "isolate", "mend", "rewind", "forget", "rebalance"}
)
"""Those that are about a service."""

FORMAT = 1
EVENTS = (
    "deliver", "publish", "confirm", "ack", "nack", "reject", "return", "consume", "tx-commit", "tx-commit-ok",
    "fetch", "produce", "commit", "end-txn", "join", "request", "response", "write",
)  # fmt: skip
"""The events that a trap may wait for: those of the protocol, and a system call of the service itself."""

OF_A_GROUP = ("join", "response")
"""Those that a trap may wait for without a message: a member that joins its group, and the answer by which it is in."""

HANDED_OVER = ("deliver", "fetch")
"""Those that hand a message to a service."""

VARIATIONS = {
    "again": "by a second service, and nothing else varied",
    "clock": "with the wall clock set back",
    "partitions": "partition by partition, the last one first",
    "batches": "record by record, in another order of partitions",
}
"""How a log may be read once more; ``env:NAME``, with another value in the environment, is one more way, and
``env:NAME=VALUE`` says with which."""


def way_in_words(way: str) -> str:
    """Say how a log is read once more."""
    return VARIATIONS.get(way) or f"with another value of {way.removeprefix('env:').partition('=')[0]}"


TAKEN = (*HANDED_OVER, "request")
"""Those behind which a service is at work on a message: over HTTP, it is asked."""

BROKER = "broker"
"""What a trap calls a link to the broker."""

CLIENT = "the client"
"""What a trap calls whoever sends messages in over HTTP; no service is called so."""

_AT_ANY_TIME = ("kill", "stop", "cut")
"""The faults of a trap that need nothing to pass."""

_ROW = 12
"""From how many publications in a row on only the first and the last are said."""

SENTINEL = "sentinel"
"""The name of the message that the runner publishes behind the last one (DESIGN section 4, rule 4)."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One message to send: `id` is its name for people, `body` the text with placeholders still in it.

    `poison` is the number of a kind of poison of the contract, which then says what the body is.
    """

    id: str = ""
    body: str = ""
    poison: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Action(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True, gc=False
):
    """One thing the runner does; exactly one field is set.

    `publish`: one more copy of that message, and wait for the broker's confirm, or over HTTP for the answer: only
    a `start` right behind it comes before that, while who was asked still tries. `burst`: four more copies of that
    message over HTTP, at the same time, as of clients that do not wait. `start`: once the traps that
    end that service have sprung and its links are buried, start it again. `stop`: SIGTERM, and wait.
    `cut`: reset every link of that service. `isolate`: the same, and refuse new ones until `mend`; both wait
    until the health endpoint of the service says so, where it has one. `restart`: the broker, which is its only
    target. `unroute`: delete that queue with its bindings, until `reroute` makes it again. `wait`: let that
    much time pass, where time itself is the fault (a message that expires). `replay`: have a second service with
    a group and state of its own read the same log from offset zero, varied so (`VARIATIONS`). `rewind`: once what
    was sent is settled, stop that service, and move its group's offsets back to the first record of the case;
    `forget`: with that service down, lose them, and what had come before the case; `start` follows both. `abort`:
    one more copy of that message, in a transaction that is aborted. `rebalance`: once what was sent was handed over,
    let a second member join the group of that service, take its part, and leave again.
    """

    publish: str | None = None
    burst: str | None = None
    start: str | None = None
    stop: str | None = None
    cut: str | None = None
    isolate: str | None = None
    mend: str | None = None
    restart: Literal["broker"] | None = None
    unroute: str | None = None
    reroute: str | None = None
    wait: str | None = None
    replay: str | None = None
    rewind: str | None = None
    forget: str | None = None
    abort: str | None = None
    rebalance: str | None = None

    def __post_init__(self) -> None:
        """Refuse an action that does nothing, or two things."""
        if (
            msgspec.structs.astuple(self).count(None) != len(_VERBS) - 1
        ):  # a schedule may have a million of them
            raise ValueError(f"an action has exactly one of {', '.join(_VERBS)}")
        if self.wait is not None:
            Duration.parse(self.wait)

    @property
    def verb(self) -> Verb:
        """What is done."""
        return next(verb for verb in _VERBS if getattr(self, verb) is not None)

    @property
    def target(self) -> str:
        """The message, service, queue or length of time that it is about."""
        return str(getattr(self, self.verb))

    def describe(self) -> str:
        """Say the action in words."""
        return f"{self.verb} {self.target}"


class Trap(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Let the fault `do` strike `when` (before or after) the `nth` `event` of `message` passes the relay.

    It names what it waits for, never a position in a list: the order between connections is not fixed. `service` is
    the one that is struck, `link` names the other end of the link: the broker, or a service (over HTTP, whichever of
    the two asks), or the client. At ``join``, and at the ``response`` to it, it has no `message`. After an event it
    may strike `later`, by a duration; whatever comes meanwhile passes. A write point
    (`event` is ``write``) has `during` in place of `when` and `message`: it strikes as the service makes its `nth`
    system call that changes anything outside, counted from the first delivery of that message, or request about it,
    on. There it may ``pause``: what follows that message is published once the service stands still, which goes on
    once all but that message is settled, or does not get settled.
    """

    when: When | None = None
    event: str
    message: str = ""
    during: str = ""
    do: str
    nth: Annotated[int, msgspec.Meta(ge=1)] = 1
    service: str = ""
    link: str = BROKER
    later: str = ""

    def __post_init__(self) -> None:
        """Refuse a trap that names too little, or two things."""
        if self.is_write != bool(self.during) or self.is_write == bool(self.when or self.message):
            raise ValueError("a trap names when and message, or, where its event is write, during alone")
        if not self.is_write and not (self.when and (self.message or self.event in OF_A_GROUP)):
            raise ValueError("a trap names its when and its message")
        if self.do == "pause" and not self.is_write:
            raise ValueError("a service can be paused at a write point only")
        if self.later and not (self.when == "after" and self.do in _AT_ANY_TIME and self.delay):
            raise ValueError(f"only {', '.join(_AT_ANY_TIME)} can strike later, and only after an event")

    @property
    def delay(self) -> float:
        """How long behind its event it strikes, in seconds."""
        return Duration.parse(self.later) if self.later else 0.0

    @property
    def is_write(self) -> bool:
        """Whether it is a write point."""
        return self.event == "write"

    @property
    def about(self) -> str:
        """The message that it is about; empty where it is about none."""
        return self.during or self.message

    @property
    def at(self) -> str:
        """What it waits for: ``ack(m1)``; of a group, ``join`` or ``response to join``."""
        return self._at("")

    def describe(self) -> str:
        """Say the trap in words: ``kill before ack(m1)``, ``kill at write 4 of m1``."""
        if self.is_write:
            return f"{self.do} at write {self.nth} of {self.during}"
        count = f", time {self.nth}" if self.nth > 1 else ""
        between = "" if self.link == BROKER else f" between {self.service or 'a service'} and {self.link}"
        later = f"{self.later} " if self.later else ""
        return f"{self.do} {later}{self.when} {self._at(count)}{between}"

    def _at(self, count: str) -> str:
        if self.message:
            return f"{self.event}({self.message}{count})"
        return f"{'response to ' if self.event == 'response' else ''}join{count}"


class Schedule(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True, dict=True
):
    """What will be done: a step is an action or a trap. What is asked of it often is worked out once."""

    format: int = msgspec.field(default_factory=lambda: FORMAT)  # a default itself would not be written
    contract: str = ""
    seed: int = 0
    messages: dict[str, Message] = {}
    actions: tuple[Action, ...] = ()
    traps: tuple[Trap, ...] = ()

    @property
    def steps(self) -> int:
        """How many actions and traps there are."""
        return len(self.actions) + len(self.traps)

    @cached_property
    def verbs(self) -> frozenset[Verb]:
        """What is done at all."""
        return frozenset(action.verb for action in self.actions)

    @cached_property
    def published(self) -> tuple[str, ...]:
        """The messages that are published at all, in the order of their first publication."""
        sent = (a.burst if a.publish is None else a.publish for a in self.actions)
        return tuple(dict.fromkeys(name for name in sent if name is not None))

    @cached_property
    def poisons(self) -> tuple[str, ...]:
        """The messages among them that are poison."""
        kinds = {name: message.poison for name, message in self.messages.items()}
        return tuple(name for name in self.published if kinds.get(name) is not None)

    @cached_property
    def trapped(self) -> frozenset[str]:
        """The messages that its traps are about."""
        return frozenset(trap.about for trap in self.traps if trap.about)

    def may_miss(self, trap: Trap) -> bool:
        """Tell whether a trap may as well not spring, so that nothing is unknown where it does not.

        A message may be handled in fewer system calls, or sooner, and a poison in other steps than the last time.
        """
        return trap.is_write or bool(trap.later) or trap.about in self.poisons

    @property
    def restarts_broker(self) -> bool:
        """Whether it disturbs whoever uses the same broker."""
        return "restart" in self.verbs

    @cached_property
    def innocents(self) -> tuple[str, ...]:
        """The messages among them that are not."""
        poisons = {*self.poisons}
        return tuple(name for name in self.published if name not in poisons)

    @cached_property
    def replays(self) -> str:
        """How the log is read once more; empty where it is not."""
        return next((action.replay for action in self.actions if action.replay is not None), "")

    @property
    def only_publishes(self) -> bool:
        """Whether nothing is done but publishing: then no other fault is in it than copies and poison."""
        return not self.traps and self.verbs <= SENDS

    def describe(self) -> str:
        """Say the schedule in one line: actions in order, a long row of publications in short, traps after them."""
        said: list[str] = []
        for verb, group in itertools.groupby(self.actions, lambda action: action.verb):
            row = [action.describe() for action in group]
            if verb == "publish" and len(row) > _ROW:
                row = [f"{row[0]} … {row[-1].removeprefix('publish ')} ({len(row)} messages)"]
            said += row
        return "; ".join((*said, *(trap.describe() for trap in self.traps)))


def instance(service: str, number: int, of: int) -> str:
    """Return the name of one instance of a service; the only one is called like the service."""
    return service if of == 1 else f"{service}-{number}"


def is_of(name: str, service: str) -> bool:
    """Tell whether a name is that of a service, or of one instance of it."""
    stem, _, number = name.rpartition("-")
    return name == service or (stem == service and number.isdecimal())


def publish(*names: str) -> tuple[Action, ...]:
    """Return the actions that publish these messages, one copy each, in this order."""
    return tuple(Action(publish=name) for name in names)


def save(schedule: Schedule, path: Path) -> None:
    """Write a schedule to a file, for people to read too."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(schedule), indent=1) + b"\n")


def load(path: Path) -> Schedule:
    """Read a schedule from a file; raise UsageError, naming the key, where it is none."""
    try:
        schedule = msgspec.json.decode(path.read_bytes(), type=Schedule)
    except OSError as exc:
        msg = f"cannot read the schedule {path}: {exc.strerror}; name a schedule.json that a run has saved"
        raise UsageError(msg) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path} is no schedule: {exc}; name a schedule.json that a run has saved") from exc
    if (problem := _problem(schedule)) is not None:
        raise UsageError(f"{path}: {problem}")
    return schedule


def _problem(schedule: Schedule) -> str | None:
    """Return what is wrong with a schedule although every single key is right, or None."""
    if schedule.format != FORMAT:
        return f"it has format {schedule.format}, this version reads format {FORMAT}"
    named = {*schedule.published, *schedule.trapped}
    if unknown := named - {*schedule.messages, SENTINEL}:
        return f"it names messages that it does not define: {', '.join(sorted(unknown))}"
    for trap in schedule.traps:
        if trap.event not in EVENTS:
            near = difflib.get_close_matches(trap.event, EVENTS, n=1) or EVENTS
            return f"there is no event {trap.event!r} to wait for; there is {', '.join(near)}"
    return None
