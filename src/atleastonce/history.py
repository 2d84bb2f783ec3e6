"""A history is what happened, in the order the relay or the runner saw it: all that a check may read.

Everything here is plain frozen data; `atleastonce.history_file` keeps it.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

import msgspec

from atleastonce.schedule import Schedule

FORMAT = 1
ENDS = ("quiet", "unshown", "looped")
"""The events that end a case; where they are not ok, it did not become quiet."""

_LANE = re.compile(r"^[^./]*lane-\d+\.")
"""What stands before the name of a topic in a lane of its own."""

Side = Literal["subject", "broker", "runner"]


class Event(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One thing that happened.

    `t` is seconds since the case began, monotonic. `side` is who did it: the subject and the broker as the
    relay saw them pass, or the runner itself. `message` is the name in the schedule (``m1``), `copy` the
    publication of it (``m1#2``); both are None where the relay could not tell. `to` is the service that a link
    leads to, from `service`; empty for the broker.

    Protocol events (CONTRACT): ``deliver publish confirm ack nack reject return consume tx-commit tx-commit-ok`` on
    RabbitMQ, ``fetch produce confirm commit join end-txn`` on Kafka, and ``response``, the broker's answer to the
    request named in `of`. Over HTTP, between two services: ``request`` (`queue` is method and path, `note` digests
    of its idempotency key and body; not `ok`: the relay did not pass it on) and the ``response`` to it (`size`
    is the status; 503 to a request that is not `ok` is the relay's own). The relay adds ``open`` and ``closed`` (a
    link, or one channel of it), ``unreached`` (nobody took the connection), ``delays`` (a queue that the subject
    declared to keep messages for a while, or put a copy into with a time to live; no queue: it gave such a copy to an
    exchange) and ``expires`` (one whose messages live for `size` milliseconds). One acknowledgement for several
    messages is an event of each, and says so in its `note`. A ``consume`` `settles` where nothing
    is given back once its link is gone: without acknowledgements, or from a queue that ends with its consumers.

    The runner's own, of the schedule: ``published`` (a copy of ours; `ok` is the broker's confirm, or an
    answer of 2xx), ``asked`` (one request of ours to an HTTP service; `size` is the status, 0 for no answer),
    ``declined`` (a copy that got the same failure, `size`, however often it was asked: the services have
    decided), ``start ready stop`` (a service), ``exit`` (a service ended by itself and is started again),
    ``sprung`` and ``unsprung`` (a trap; `note` says which), ``kill cut``, ``isolated`` and ``mended`` (a
    service; `size` links were cut), ``write`` (a system call of a service that is traced, while it handled that
    message: `size` is its number, `tag` that of its thread, `note` the call; `side` is the subject), ``untraced``
    (why one could not be traced), ``broker-restarted``, ``unrouted`` and ``rerouted`` (a queue), ``waited``,
    ``rewound`` and ``forgotten`` (the offsets of a service's group), ``rebalanced`` (that group), ``aborted`` (a copy
    of ours, with its transaction).

    Of what it found: ``begun`` (not `ok`: there was no service to try it on, or no clean run to compare it with),
    ``buried`` (`ok`: every link of the dead client ended in order), ``arrived`` (a copy of ours lies among the
    outputs or dead letters), ``committed`` (its offset is, though the answer to that was lost), ``passed-over`` (a
    copy that nothing settled lies before an offset that the group has committed, or, with a `note`, before what it
    reads since it is up, or it went with a link of a subscription that `settles`: nobody gets it any more), ``depth``
    (`size` messages wait in a queue), ``health`` (the health endpoint changed; `size` is the status, 0 for none),
    ``quiet`` (`ok`; `note` is why not), ``unshown`` (all is settled, but the sentinel's effect did not come),
    ``canary`` (`ok`: it kept its time), ``looped`` (a copy was delivered, or a service ended by itself, more often
    than the contract allows; the case was given up), ``late`` (an output of an earlier case), ``still`` (since when
    nothing moved in a clean run, if it ever stood still), ``seen`` (a copy is settled by what the service shows, where
    its offsets live in its own database), ``varied`` (`note`: what a replay was made with; not `ok`: why it could not
    be), ``report`` (`note`: what the service reported of the first `size` publications; `of`: ``first`` or ``second``,
    the replay) and ``recorder unreadable`` (our own failures).
    """

    event: str
    t: float = 0.0
    side: Side = "runner"
    service: str = ""
    link: int = 0
    channel: int = 0
    tag: int = 0
    message: str | None = None
    copy: str | None = None
    queue: str = ""
    partition: int = -1
    offset: int = -1
    group: str = ""
    redelivered: bool = False
    requeue: bool = False
    settles: bool = False
    of: str = ""
    to: str = ""
    ok: bool = True
    size: int = 0
    note: str = ""


class Output(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One message that the subject put out, as it lay on the broker.

    `id` is what the contract declares to make two outputs the same one, or None where it declares nothing.
    `message` is the input it belongs to, or None where that could not be told. `body` is the decoded JSON or
    the text, with ids of this case replaced by names, so that two runs compare. `changed` says of a dead
    letter what is not as it was sent: ``body``, with how both begin, and ``header NAME``.
    """

    queue: str
    id: str | None = None
    message: str | None = None
    body: Any = None
    headers: dict[str, Any] = {}
    key: str | None = None
    changed: tuple[str, ...] = ()


Moment = Literal["before", "clean-1", "clean-2", "faulty"]


class Observation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A snapshot of what can be seen of the subject at one moment.

    `values` maps an observed address (with ids replaced by names) to what it answered. The clean observations
    hold what *changed* in a clean run, so that a saved history carries its own expectation; `before` and
    `faulty` are plain snapshots. `moving` names what in a clean run never stood still, by address and path.
    `unreadable` says why a snapshot is missing.
    """

    observed: Moment
    at: float = 0.0
    values: dict[str, Any] = {}
    outputs: tuple[Output, ...] = ()
    dead_letters: tuple[Output, ...] = ()
    moving: tuple[str, ...] = ()
    unreadable: str = ""


class Header(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was done, with what, on what.

    `declared` is what checks need of the contract: `ignore` (paths), `ends` (queues where a message is at its
    end), `dead_letters` (the queue), `own_poison` (whether the contract names kinds of it), `promised` (the options
    of each promise, durations in seconds), `keys` (of each message, what it shares with those whose order counts),
    `volatile` (whether all that is consumed is gone with its link, as a ``consume`` that `settles` says) and
    `only_queues` (by exchange, the one queue that the services have bound to it).
    `proof` says that it was carried out to confirm or to shrink a failure that was found already: a run does not
    count it. `in_vain` is for how long something that a clean run shows was awaited and did not come, in seconds.
    `confirmed` is, of a counterexample, how often its failure was seen again, and of how many times.
    """

    format: int = msgspec.field(default_factory=lambda: FORMAT)  # a default itself would not be written
    contract: str = ""
    contract_file: str = ""
    contract_text: str = ""
    schedule: Schedule = Schedule()
    seed: int = 0
    broker: str = ""
    settings: dict[str, str] = {}
    versions: dict[str, str] = {}
    services: tuple[str, ...] = ()
    declared: dict[str, Any] = {}
    proof: bool = False
    in_vain: float = 0.0
    confirmed: tuple[int, int] = (0, 0)


class Waiting(NamedTuple):
    """How long what a clean run shows was awaited once all was quiet, in seconds; one of them is 0."""

    in_vain: float
    until_it_came: float

    def outlasts(self, other: "Waiting") -> bool:
        """Tell whether this one says more about what the other has missed: whether that comes at all."""
        return 0 < other.in_vain < max(self)


class History(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One carried-out schedule: what was planned, what happened, what was seen.

    Events are sorted by name once, when the first check asks for some: most names are rare among a million events.
    """

    header: Header
    events: tuple[Event, ...] = ()
    observations: tuple[Observation, ...] = ()

    @property
    def stuck(self) -> bool:
        """Whether the case was given up because the service got nowhere."""
        return any(event.event in ENDS for event in self.failed)

    @property
    def waiting(self) -> Waiting:
        """How long what was missing at first was awaited."""
        last = self.observed("faulty")
        if self.header.in_vain or last is None or not (quiet := self.named("quiet", "unshown")):
            return Waiting(self.header.in_vain, 0.0)
        return Waiting(0.0, max(0.0, last.at - quiet[-1].t))

    @property
    def unbegun(self) -> bool:
        """Whether the schedule could not even be begun."""
        return any(event.event == "begun" for event in self.failed)

    @cached_property
    def failed(self) -> tuple[Event, ...]:
        """The events that are not ok."""
        return tuple(event for event in self.events if not event.ok)

    @cached_property
    def _by_name(self) -> dict[str, list[Event]]:
        found: defaultdict[str, list[Event]] = defaultdict(list)
        for event in self.events:
            found[event.event].append(event)
        return dict(found)

    def named(self, *names: str) -> Sequence[Event]:
        """Return the events with one of these names, in their order."""
        found = [self._by_name[name] for name in names if name in self._by_name]
        if len(found) > 1:
            return [event for event in self.events if event.event in names]
        return found[0] if found else ()

    def observed(self, moment: Moment) -> Observation | None:
        """Return the observation made at that moment, or None."""
        return next((o for o in self.observations if o.observed == moment), None)


def queue_name(name: str) -> str:
    """Return the name that the contract uses for a queue or topic."""
    return _LANE.sub("", name)
