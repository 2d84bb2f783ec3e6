"""What services asked each other over HTTP: attempts, and the series that they make."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from atleastonce.history import Event
from atleastonce.schedule import is_of

_ENDINGS = ("kill", "stop", "exit")
_SERVER_ERRORS = range(500, 600)
_LATER = (408, 425, 429)


@dataclass(frozen=True)
class Attempt:
    """One request of a service to another one about a message, with what came of it."""

    event: Event
    end: float | None = None
    """When it was over as both sides know it: answered, or cut; None where the service gave up by itself."""
    status: int = 0
    """What was answered; 0 for nothing."""

    @property
    def failed(self) -> bool:
        """Whether it may be followed by another one: it was answered with an error, or not at all."""
        return _is_failure(self.status)

    @property
    def marks(self) -> dict[str, str]:
        """Digests of its idempotency key (``key``) and of its ``body``, as far as it has them."""
        found = (each.partition(" ") for each in self.event.note.split(", ") if each)
        return {what: digest for what, _, digest in found}

    @property
    def refused(self) -> bool:
        """Whether the fault `fail` answered it."""
        return not self.event.ok and bool(self.status)


@dataclass
class Series:
    """Attempts at one thing, each but the last failed.

    `doubt` is why its attempts may not be all, or not only those of one series; empty where they are. `answered`
    says that the service then answered with an error itself: it has given up.
    """

    attempts: list[Attempt] = field(default_factory=list)
    doubt: str = ""
    answered: bool = False

    @property
    def call(self) -> str:
        """What was asked, of whom: ``inventory POST /reserve``."""
        event = self.attempts[0].event
        return f"{event.to} {event.queue}"

    @property
    def message(self) -> str:
        """The message that it was about."""
        return str(self.attempts[0].event.message)

    @property
    def service(self) -> str:
        """The service that asked."""
        return self.attempts[0].event.service

    @property
    def keys(self) -> int:
        """How many idempotency keys its attempts carried."""
        return len({attempt.marks["key"] for attempt in self.attempts if "key" in attempt.marks})

    @property
    def alike(self) -> bool:
        """Whether its attempts are the same thing again, by their key or body: one path may serve many things."""
        marks = [attempt.marks for attempt in self.attempts]
        return any(len({each.get(what, "") for each in marks}) == 1 for what in ("body", *_shared(marks)))

    @property
    def reached(self) -> int:
        """How many attempts reached the service that was asked."""
        return sum(attempt.event.ok for attempt in self.attempts)


def series(events: Sequence[Event]) -> tuple[Series, ...]:
    """Return every series of attempts, in the order of their beginnings.

    A series ends where an attempt succeeds, and where the service answers an error to whoever asked it: what is
    asked after a repetition is another series. Linear in the events, times the series about one message that are
    open together.
    """
    attempts = {id(attempt.event): attempt for attempt in _attempts(events)}
    found: list[Series] = []
    running: defaultdict[str | None, list[Series]] = defaultdict(list)
    for event in events if attempts else ():
        about = running[event.message]
        if (attempt := attempts.get(id(event))) is not None:
            mine = next((each for each in about if _continues(each, attempt)), None)
            if mine is None:
                mine = Series()
                about[:] = [each for each in about if _place(each.attempts[0]) != _place(attempt)]
                about.append(mine)
                found.append(mine)
            mine.attempts.append(attempt)
        for some in (about,) if _is_about_one(event) else running.values():
            some[:] = [each for each in some if not _closed(each, event)]
    return tuple(found)


def _is_about_one(event: Event) -> bool:
    """Tell whether an event can say something of the series about its own message only."""
    everyones = event.message is None and event.event in ("deliver", "fetch")
    return event.event not in (*_ENDINGS, "unreached") and not everyones


def _shared(marks: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    return ("key",) if all("key" in each for each in marks) else ()


def _attempts(events: Iterable[Event]) -> Iterator[Attempt]:
    waiting: dict[tuple[str, int, int], Attempt] = {}
    done: list[Attempt] = []
    for event in events:
        link = (event.service, event.link)
        if event.event == "request" and event.message:
            end = None if event.ok else event.t
            waiting[(*link, event.tag)] = Attempt(event, end)
        elif event.event == "response" and event.of == "request":
            if (asked := waiting.pop((*link, event.tag), None)) is not None:
                done.append(replace(asked, end=event.t, status=event.size))
        elif event.event in ("cut", "closed"):
            for place in [place for place in waiting if place[:2] == link]:
                asked = waiting.pop(place)
                cut = event.event == "cut" and asked.end is None
                done.append(replace(asked, end=event.t) if cut else asked)
    yield from (*done, *waiting.values())


def _place(attempt: Attempt) -> tuple[str, str, str, str | None]:
    event = attempt.event
    return event.service, event.to, event.queue, event.message


def _continues(one: Series, attempt: Attempt) -> bool:
    return _place(one.attempts[-1]) == _place(attempt) and one.attempts[-1].failed


def _closed(one: Series, event: Event) -> bool:
    """Tell whether a series ends with an event, and keep why nothing more is known of it."""
    doubt = _doubt(one, event)
    one.doubt = one.doubt or doubt
    first = one.attempts[0].event
    if event.message not in (first.message, None) or event.event == "unreached":
        return False
    answered = event.message == first.message and _answers(event, first.service)
    if answered and _is_failure(event.size):
        one.answered = True
        return True
    return bool(doubt) or (event.event in ("deliver", "fetch") and event.service == first.service)


def _doubt(one: Series, event: Event) -> str:
    """Say why not every attempt of a series is known, or not every one is of it, after an event."""
    first = one.attempts[0].event
    about_it = event.message == first.message
    if event.event in _ENDINGS and event.service == first.service:
        return f"{event.service} ended meanwhile ({event.event})"
    if event.event == "unreached" and (event.service, event.to) == (first.service, first.to):
        return f"{event.to} was out of reach, so not every attempt was seen"
    if event.event == "request" and is_of(first.service, event.to) and about_it:
        return f"{first.service} was asked again meanwhile"
    if event.event == "asked" and not event.size and about_it:
        return "our own request was not answered meanwhile"
    return ""


def _answers(event: Event, service: str) -> bool:
    """Tell whether an event is what a service answers to whoever asked it: another service, or us."""
    return event.event == "asked" or (event.event == "response" and is_of(service, event.to))


def _is_failure(status: int) -> bool:
    return not status or status in _SERVER_ERRORS or status in _LATER
