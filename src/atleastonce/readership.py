"""Who reads what, as the relays of one lane have seen it: queues, topics in groups, and where messages wait."""

from collections.abc import Callable, Collection, Iterable, Mapping

from atleastonce.history import Event
from atleastonce.recording import Record
from atleastonce.transports import Subscription

TELLING = frozenset({"consume", "cut", "closed", "response", "buried", "delays", "expires"})
"""The events that say something of it: a relay sees a million of others."""
_NEXT = 0.5
"""Seconds within which a service that subscribes to one queue after the other comes to the next one."""
_ALL = 5.0
"""Seconds within which it comes to all that it subscribed to in another lane."""


class Readership:
    """Filled on the thread of the relays, and asked by the runner's."""

    def __init__(self) -> None:
        self.subscriptions: frozenset[Subscription] = frozenset()
        """What the services consume from, and where they have messages wait."""
        self.expires: dict[str, int] = {}
        """For how many milliseconds the messages of a queue live."""
        self._parking: frozenset[str] = frozenset()
        self._links: dict[str, frozenset[tuple[str, int]]] = {}
        self._members: frozenset[str] = frozenset()
        self._volatile: dict[str, bool] = {}
        self._most = 0

    def delayed(self, delays: Mapping[str, bool]) -> None:
        """Take which queues hand on what nobody takes out of them: always, or where a message says so."""
        self._parking = frozenset(queue for queue, always in delays.items() if not always)
        self.subscriptions |= {Subscription(queue) for queue, always in delays.items() if always}

    def seen(self, event: Event, ends: Callable[[], Collection[str]]) -> None:
        """Take one of the events that are `TELLING`; what is delayed waits nowhere but before its `ends`."""
        match event.event:
            case "consume":
                self.subscriptions |= {Subscription(event.queue, event.group)}
                self._volatile[event.queue] = event.settles
                self._links[event.queue] = self._of(event.queue) | {(event.service, event.link)}
                self._most = max(self._most, self._read)
            case "cut" | "closed" if _loses_link(event):
                link = (event.service, event.link)
                self._links = {queue: links - {link} for queue, links in self._links.items()}
            case "response" if event.of == "join":
                self._members |= {event.service}
            case "buried":
                self._members -= {event.service}
            case "delays":
                # What an exchange has may be in any of these.
                delaying = {event.queue} if event.queue else self._parking
                self.subscriptions |= {Subscription(queue) for queue in delaying - {*ends()}}
            case "expires":
                self.expires[event.queue] = event.size

    @property
    def volatile(self) -> bool:
        """Whether all that is consumed is gone with its link: no acknowledgements, or queues that end with it."""
        return bool(self._volatile) and all(self._volatile.values())

    def await_whole(self, record: Record, ended: Callable[[], bool], within: float) -> None:
        """Wait until as many queues are read over live links as ever were, where all that is consumed is volatile.

        What is published before goes with the link that a service has lost. It is over, too, once they have `ended`.
        """
        if self.volatile:
            record.await_(lambda: self._read >= self._most or ended(), within)

    @property
    def _read(self) -> int:
        return sum(bool(links) for links in list(self._links.values()))

    def is_read_alone(self, topic: str) -> bool:
        """Tell whether one member of a group, over one link, is all that reads a topic: it is where it asked last."""
        links = self._of(topic)
        return len(links) == 1 and {service for service, _ in links} <= self._members

    def _of(self, queue: str) -> frozenset[tuple[str, int]]:
        return self._links.get(queue, frozenset())


def _loses_link(event: Event) -> bool:
    """Tell whether a link is lost, and not just a channel of it."""
    return event.event == "cut" or (event.event == "closed" and not event.channel)


def gone_with_links(events: Iterable[Event]) -> frozenset[str]:
    """Return the copies that may have gone with a link: sent before a service that had lost one subscribed again.

    That is so of what needs no acknowledgement, which a broker hands to a consumer that is dead already, and of queues
    that end with their consumers (`Readership.volatile`).
    """
    sent: set[str] = set()
    gone: set[str] = set()
    lost: set[str] = set()
    for event in events:
        if event.event == "published" and event.ok and event.copy:
            sent.add(event.copy)
        elif _loses_link(event):
            lost.add(event.service)
        elif event.event == "consume" and event.settles and event.service in lost:
            gone |= sent
    return frozenset(gone)


class Extent:
    """To how much the services of a run subscribe: with the first subscription alone they are not ready for all."""

    def __init__(self) -> None:
        self._known = 0

    def await_(
        self, readership: Readership, record: Record, ended: Callable[[], bool], *, told: bool
    ) -> None:
        """Wait until they consume from as much as in another lane, or have `ended`.

        The first lane finds out how much that is: at once where they have `told` that they are ready, otherwise once
        nothing is added any more. Where it is less another time, less is awaited from then on.
        """

        def reads(many: int) -> Callable[[], bool]:
            return lambda: len(readership.subscriptions) >= many or ended()

        if self._known:
            if not record.await_(reads(self._known), _ALL):
                self._known = len(readership.subscriptions)
            return
        while not told and record.await_(reads(len(readership.subscriptions) + 1), _NEXT) and not ended():
            pass
        self._known = max(self._known, len(readership.subscriptions))
