"""HTTP: what a service is asked fails, is lost on its way or at its end, or is cut short by a crash."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, get_args

import msgspec

from atleastonce.contract import Contract
from atleastonce.exploration.amid import amid
from atleastonce.history import History
from atleastonce.promises import BacksOff
from atleastonce.schedule import CLIENT, Action, Schedule, Trap, When, is_of, publish


class _Asked(NamedTuple):
    """One request of the calm run: who asked whom about which message, and for which time."""

    service: str
    other: str
    message: str
    nth: int
    call: str
    """Method and path."""

    @property
    def turned(self) -> "_Asked":
        """The same, from the end of the one that is asked: a trap names whom it strikes first."""
        return self._replace(service=self.other, other=self.service)


def http(calm: History, contract: Contract) -> Iterator[Schedule]:
    """Yield what may happen to every request of the calm run that is about a message.

    It is refused once, or as often as it is repeated; cut before it arrives; done, and its answer cut or withheld;
    and whoever asks, or is asked, ends at each of the four moments. What is sent in over HTTP is done, and its answer
    lost; or the service ends, from when it was asked until it has answered: then the client sends again. Where one that
    is asked is at work for longest, it is killed in the midst of that, too.
    """
    promised = contract.promised.get("backs-off")
    for asked in _requests(calm, contract):
        yield _struck(calm, asked, _trap(asked, "before", "request", "fail"))
        if isinstance(promised, BacksOff) and promised.covers(f"{asked.other} {asked.call}"):
            repeated = range(asked.nth, asked.nth + promised.attempts)
            yield _struck(
                calm,
                asked,
                *(_trap(asked._replace(nth=nth), "before", "request", "fail") for nth in repeated),
            )
        yield _struck(calm, asked, _trap(asked, "before", "request", "cut"))
        yield _struck(calm, asked, _trap(asked, "before", "response", "cut"))
        yield _struck(calm, asked, _trap(asked, "before", "response", "time-out"))
        # Whoever asks gives up before the other one is back; in the others, that comes back at once.
        yield _struck(calm, asked.turned, _trap(asked.turned, "before", "response", "kill"), late=True)
        for each in (asked, asked.turned):
            for event in ("request", "response"):
                for when in get_args(When):
                    yield _struck(calm, each, _trap(each, when, event, "kill"))
            yield _struck(calm, each, _trap(each, "after", "request", "stop"))

    for entered in (asked.turned for asked in _entered(calm, contract)):
        yield _struck(calm, entered, _trap(entered, "before", "response", "cut"))
        yield _struck(calm, entered, _trap(entered, "after", "request", "kill"))
        for when in get_args(When):
            yield _struck(calm, entered, _trap(entered, when, "response", "kill"))
        yield _struck(calm, entered, _trap(entered, "after", "request", "stop"))

    for seconds, asked in _longest(calm, contract):
        for later in amid(seconds):
            yield _struck(calm, asked, _trap(asked, "after", "request", "kill", later))


def asked_first(calm: History, contract: Contract) -> Iterator[tuple[str, str, str]]:
    """Yield each service with who asks it, and the message that it is asked about for the first time."""
    for asked in (*_entered(calm, contract), *_requests(calm, contract)):
        if asked.nth == 1:
            yield asked.other, asked.service, asked.message


def _entered(calm: History, contract: Contract) -> Iterator[_Asked]:
    """Yield what the client asks, each message once however often it was sent."""
    messages, services = calm.header.schedule.messages, contract.all_services
    entered = (event for event in calm.events if event.event == "entered" and event.to in services)
    once = {(event.to, str(event.message)): event.queue for event in entered if event.message in messages}
    for (service, message), call in once.items():
        yield _Asked(CLIENT, service, message, 1, call)


def _requests(calm: History, contract: Contract) -> Iterator[_Asked]:
    times: Counter[tuple[str, str, str]] = Counter()
    for event in calm.events:
        if event.event == "request" and event.message in calm.header.schedule.messages:
            service = next(name for name in contract.all_services if is_of(event.service, name))
            place = (service, event.to, str(event.message))
            times[place] += 1
            yield _Asked(*place, times[place], event.queue)


def _longest(calm: History, contract: Contract) -> Iterator[tuple[float, _Asked]]:
    """Yield, of each service that is asked, how long its longest answer took, and what that was to."""
    asked = {(each.other, each.message): each for each in _requests(calm, contract) if each.nth == 1}
    asked |= {(each.other, each.message): each for each in _entered(calm, contract)}
    begun: dict[tuple[str, str], float] = {}
    longest: dict[str, tuple[float, _Asked]] = {}
    for event in calm.events:
        service = event.to or next(iter(contract.all_services))  # the client tells of the first one's answers
        at = service, str(event.message)
        if at in asked and event.event in ("entered", "request"):
            begun.setdefault(at, event.t)
        elif at in begun and event.event == ("response" if event.to else "asked"):
            took = event.t - begun.pop(at), asked[at].turned
            longest[service] = max(longest.get(service, took), took)
    yield from longest.values()


def _trap(asked: _Asked, when: When, event: str, fault: str, later: str = "") -> Trap:
    return Trap(
        when=when,
        event=event,
        message=asked.message,
        nth=asked.nth,
        service=asked.service,
        link=asked.other,
        do=fault,
        later=later,
    )


def _struck(calm: History, asked: _Asked, *traps: Trap, late: bool = False) -> Schedule:
    """Return the schedule with these traps; what they end is started again at once, or once the message is answered.

    Messages behind it would only meet a service that is not there, each for as long as that is tried.
    """
    given = calm.header.schedule
    names = [*given.messages]
    behind = names.index(asked.message) + 1
    starts = (Action(start=asked.service),) if traps[0].do in ("kill", "stop") else ()
    starts = (Action(wait="0s"), *starts) if late else starts
    actions = (*publish(*names[:behind]), *starts, *publish(*names[behind:]))
    return msgspec.structs.replace(given, actions=actions, traps=traps)
