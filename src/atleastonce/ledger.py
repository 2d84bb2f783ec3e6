"""The ledger keeps, copy by copy, what became of each input: waiting, in the subject's hands, or settled.

It is fed the events of one case in order, by the runner while the case runs and by the checks afterwards. A
copy that the subject publishes again (to retry it) opens a new entry of its own, and so does what one service
of a chain hands on to the next.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from atleastonce.history import Event

_Place = tuple[str, int, int, int]
"""Service, link, channel and tag: what a delivery, a publication or a request is known by until it is answered."""


class Ledger:
    """What became of every confirmed copy.

    `ends` are the queues where a message is at its end (outputs, dead letters): a copy that the subject
    publishes there is not owed anything more. `between` are those by which one service of a chain hands a
    message on to another: what it hands on is owed as a copy of its own, called by queue and message.
    """

    def __init__(self, ends: Iterable[str] = (), between: Iterable[str] = ()) -> None:
        self._ends = frozenset(ends)
        self._between = frozenset(between)
        self._ended: set[str] = set()
        self._owed: Counter[str] = Counter()
        self._settled: Counter[str] = Counter()
        self._waiting: dict[str, None] = {}  # of which more is owed than was settled; in the order of that
        self._twice_owed: set[str] = set()
        self._in_hand: dict[_Place, str | None] = {}
        self._adrift: set[str] = set()
        self.on_its_way: dict[str, float] = {}
        """The copies that the subject set aside, or gave to an exchange, and since when: nobody has met them yet."""
        self._committing: dict[str, tuple[str, int]] = {}
        self._unanswerable: set[str] = set()
        self._unconfirmed: dict[_Place, Event] = {}
        self._unanswered: dict[_Place, Event] = {}
        self._own: set[tuple[str, str]] = set()
        self._queues: set[tuple[str, str]] = set()
        self._read: set[tuple[str, str, int, int]] = set()
        self.settlements = 0
        self.delivered: Counter[str] = Counter()
        self.most_delivered = 0

    def feed(self, events: Iterable[Event]) -> None:
        """Take the next events."""
        for event in events:
            if (take := self._TAKES.get(event.event)) is not None:
                take(self, self._named(event) if self._between else event)

    def ways_in(self, copy: str) -> int:
        """Return out of how many queues a copy was delivered that the subject had not passed it on to."""
        return max(1, sum(each[0] == copy for each in self._queues - self._own))

    def unsettled(self) -> tuple[str, ...]:
        """Return the confirmed copies that nothing has settled for good, and what is in hand on a live link.

        That is a delivery, or what one service asks another one over HTTP.
        """
        in_hand = [copy or "a message that is not ours" for copy in self._in_hand.values()]
        asked = [f"a request of {event.message} to {event.to}" for event in self._unanswered.values()]
        return tuple(dict.fromkeys((*self._waiting, *in_hand, *asked)))

    @property
    def in_nobodys_hand(self) -> tuple[str, ...]:
        """The copies that are owed and that no service holds on a live link: they wait in a queue, or nowhere."""
        return tuple(self._waiting.keys() - self._in_hand.values())

    @property
    def passed_on(self) -> bool:
        """Whether the subject published a copy of ours again, which may be at its end or come back."""
        return bool(self._twice_owed)

    def is_passed_on(self, copy: str) -> bool:
        """Tell whether the subject published this copy again, so that it waits somewhere else as well."""
        return copy in self._twice_owed

    @property
    def given_back(self) -> bool:
        """Whether the broker has taken a copy back: to deliver it again, or to set it aside after too many times."""
        return bool(self._adrift)

    @property
    def doubtful(self) -> tuple[str, ...]:
        """The copies on Kafka whose commit went to the broker, and whose link died before it was answered."""
        return tuple(sorted(self._unanswerable & {*self.unsettled()}))

    @property
    def unconfirmed(self) -> int:
        """How many publications of the subject, on live links, still wait for their confirm."""
        return len(self._unconfirmed)

    def _named(self, event: Event) -> Event:
        """Give what is handed on from service to service the name of a copy."""
        if event.copy or not event.message or event.queue not in self._between:
            return event
        return msgspec.structs.replace(event, copy=f"{event.queue}:{event.message}")

    # -- what one event changes, see `_TAKES`

    def _published(self, event: Event) -> None:
        if event.ok and event.copy:
            self._change(event.copy, owed=1)
            self._settle(event)

    def _asked(self, event: Event) -> None:
        if event.copy:
            self._count(event.copy)

    def _delivered(self, event: Event) -> None:
        if event.copy:
            self._tried(event)
            self._adrift.discard(event.copy)
            self.on_its_way.pop(event.copy, None)
            self._committing.pop(event.copy, None)
            self._unanswerable.discard(event.copy)
            # Settled already: the broker did not learn of it before the link died, so it is owed again.
            # (The confirm of our own publication may be recorded after the delivery: one is owed anyway.)
            if self._settled.get(event.copy, 0) >= max(self._owed.get(event.copy, 0), 1):
                self._change(event.copy, settled=-1)
        if event.settles:
            self._settle(event)
        elif event.event == "deliver":
            self._in_hand[_place(event)] = event.copy

    def _requested(self, event: Event) -> None:
        if event.ok and event.message:
            self._unanswered[_place(event)] = event

    def _answered(self, event: Event) -> None:
        if event.of == "request":
            self._unanswered.pop(_place(event), None)
        else:
            self._in_hand.pop(_place(event), None)
            self._settle(event)

    def _disposed(self, event: Event) -> None:
        self._in_hand.pop(_place(event), None)
        self._settle(event)
        if event.copy and event.settles and event.event != "ack":
            self.on_its_way[event.copy] = event.t
        if event.copy and not event.settles:
            self._adrift.add(event.copy)

    def _sent(self, event: Event) -> None:
        if event.side == "subject":
            self._owe(event, 1)
            if event.copy:
                self._own.add((event.copy, event.queue))
            if event.copy and "/" in event.queue:
                self.on_its_way[event.copy] = event.t
            if event.tag:
                self._unconfirmed[_place(event)] = event

    def _committed(self, event: Event) -> None:
        if event.copy:
            self._committing[event.copy] = (event.service, event.link)

    def _returned(self, event: Event) -> None:
        self._owe(event, -1)

    def _confirmed(self, event: Event) -> None:
        self._unconfirmed.pop(_place(event), None)
        self._owe(event, 0 if event.ok else -1)

    def _down(self, event: Event) -> None:
        self._ended.add(event.service)

    def _up(self, event: Event) -> None:
        self._ended.discard(event.service)

    # -- counts

    def _tried(self, event: Event) -> None:
        """Count a delivery, and that of a record which the subject produced itself once: it may not be due yet."""
        record = (event.copy or "", event.queue, event.partition, event.offset)
        self._queues.add(record[:2])
        if event.event == "fetch" and record[:2] in self._own:
            if record in self._read:
                return
            self._read.add(record)
        self._count(record[0])

    def _count(self, copy: str) -> None:
        self.delivered[copy] = delivered = self.delivered.get(copy, 0) + 1
        self.most_delivered = max(self.most_delivered, delivered)

    def _owe(self, event: Event, more: int) -> None:
        """Take a publication of the subject into account, or out again where it never arrived.

        Of an exchange nobody knows where it leads: such a copy is owed again once it is delivered again.
        """
        if event.copy and event.queue not in self._ends and "/" not in event.queue:
            self._change(event.copy, owed=more)

    def _change(self, copy: str, *, owed: int = 0, settled: int = 0) -> None:
        """Count, and keep what is asked at every event of a case from having to look at all copies again."""
        self._owed[copy] = due = self._owed.get(copy, 0) + owed
        self.settlements += max(settled, 0)
        self._settled[copy] = done = self._settled.get(copy, 0) + settled
        if done < due:
            self._waiting[copy] = None
        else:
            self._waiting.pop(copy, None)
        if due > 1:
            self._twice_owed.add(copy)
        else:
            self._twice_owed.discard(copy)

    def _settle(self, event: Event) -> None:
        if event.settles and event.copy:
            self._change(event.copy, settled=1)

    def _arrived(self, event: Event) -> None:
        """Settle a copy at its end: passed on by the subject, set aside by the broker, or before a committed offset."""
        self.on_its_way.pop(event.copy or "", None)
        if event.copy and self._settled[event.copy] < self._owed[event.copy]:
            self._change(event.copy, settled=1)
            self._adrift.discard(event.copy)

    def _given_back(self, event: Event) -> None:
        def over(place: _Place) -> bool:
            same_link = place[:2] == (event.service, event.link)
            return same_link and event.channel in (0, place[2])

        link = (event.service, event.link)
        self._unanswerable |= {copy for copy, asked in self._committing.items() if asked == link}
        self._adrift |= {copy for place, copy in self._in_hand.items() if copy and over(place)}
        self._in_hand = {place: copy for place, copy in self._in_hand.items() if not over(place)}
        self._unanswered = {place: event for place, event in self._unanswered.items() if not over(place)}
        for place in [place for place in self._unconfirmed if over(place)]:
            lost = self._unconfirmed.pop(place)
            # Of a client that has ended, the broker took all that it had sent (its link was buried). Of a link
            # that broke, nobody knows whether it did: what arrived is owed again once it is delivered.
            if event.service not in self._ended:
                self._owe(lost, -1)

    _TAKES: ClassVar[Mapping[str, Callable[[Any, Event], None]]] = {
        "published": _published,
        "asked": _asked,
        "deliver": _delivered,
        "fetch": _delivered,
        "request": _requested,
        "response": _answered,
        "ack": _disposed,
        "nack": _disposed,
        "reject": _disposed,
        "seen": _settle,
        "publish": _sent,
        "produce": _sent,
        "commit": _committed,
        "arrived": _arrived,
        "committed": _arrived,
        "passed-over": _arrived,
        "return": _returned,
        "confirm": _confirmed,
        "kill": _down,
        "stop": _down,
        "exit": _down,
        "start": _up,
        "closed": _given_back,
    }
    """What each kind of event changes; the others change nothing."""


def _place(event: Event) -> _Place:
    return (event.service, event.link, event.channel, event.tag)
