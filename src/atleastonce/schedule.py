"""A schedule is what will be done to a service, as plain data: messages, actions and traps.

Kept in ``schedule.json`` (CONTRACT: *A schedule*). An action is one thing the runner does; a trap waits in
the relay for a protocol event of one message, then lets a fault strike.
"""

import difflib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from atleastonce.errors import UsageError

When = Literal["before", "after"]
Verb = Literal["publish", "start", "stop"]

FORMAT = 1
EVENTS = (
    "deliver", "publish", "confirm", "ack", "nack", "reject", "return", "consume",
    "fetch", "produce", "commit", "end-txn", "join", "request", "response",
)  # fmt: skip
"""The protocol events that a trap may wait for."""

SENTINEL = "sentinel"
"""The name of the message that the runner publishes behind the last one (DESIGN section 4, rule 4)."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One message to send: `id` is its name for people, `body` the text with placeholders still in it."""

    id: str = ""
    body: str = ""


class Action(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """One thing the runner does; exactly one field is set.

    `publish`: one more copy of that message, and wait for the broker's confirm. `start`: once the traps that
    end that service have sprung and its links are buried, start it again. `stop`: SIGTERM, and wait.
    """

    publish: str | None = None
    start: str | None = None
    stop: str | None = None

    def __post_init__(self) -> None:
        """Refuse an action that does nothing, or two things."""
        if sum(value is not None for value in (self.publish, self.start, self.stop)) != 1:
            raise ValueError("an action has exactly one of publish, start, stop")

    @property
    def verb(self) -> Verb:
        """What is done."""
        return "publish" if self.publish is not None else "start" if self.start is not None else "stop"

    @property
    def target(self) -> str:
        """The message or service it is done to."""
        return self.publish or self.start or self.stop or ""

    def describe(self) -> str:
        """Say the action in words."""
        return f"{self.verb} {self.target}"


class Trap(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """Let the fault `do` strike `when` (before or after) the `nth` `event` of `message` passes the relay.

    It names what it waits for, never a position in a list: the order between connections is not fixed.
    """

    when: When
    event: str
    message: str
    do: str
    nth: Annotated[int, msgspec.Meta(ge=1)] = 1
    service: str = ""
    link: str = "broker"

    def describe(self) -> str:
        """Say the trap in words: ``kill before ack(m1)``."""
        count = f", time {self.nth}" if self.nth > 1 else ""
        return f"{self.do} {self.when} {self.event}({self.message}{count})"


class Schedule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What will be done: a step is an action or a trap."""

    format: int = FORMAT
    contract: str = ""
    seed: int = 0
    messages: dict[str, Message] = {}
    actions: tuple[Action, ...] = ()
    traps: tuple[Trap, ...] = ()

    @property
    def steps(self) -> int:
        """How many actions and traps there are."""
        return len(self.actions) + len(self.traps)

    @property
    def published(self) -> tuple[str, ...]:
        """The messages that are published at all, in the order of their first publication."""
        return tuple(dict.fromkeys(a.target for a in self.actions if a.verb == "publish"))

    def describe(self) -> str:
        """Say the schedule in one line: actions in order, traps after them."""
        steps: tuple[Action | Trap, ...] = (*self.actions, *self.traps)
        return "; ".join(step.describe() for step in steps)


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
    named = {*schedule.published, *(trap.message for trap in schedule.traps)}
    if unknown := named - {*schedule.messages, SENTINEL}:
        return f"it names messages that it does not define: {', '.join(sorted(unknown))}"
    for trap in schedule.traps:
        if trap.event not in EVENTS:
            near = difflib.get_close_matches(trap.event, EVENTS, n=1) or EVENTS
            return f"there is no event {trap.event!r} to wait for; there is {', '.join(near)}"
    return None
