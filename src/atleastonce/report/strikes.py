"""The events at which a fault struck, each of them once: a cut that a trap made is its trap's."""

from collections import Counter
from collections.abc import Iterator

from atleastonce.history import Event, History
from atleastonce.report.wording import trap_of
from atleastonce.schedule import is_of

ACTS = frozenset(
    {
        "stop",
        "isolated",
        "broker-restarted",
        "unrouted",
        "waited",
        "rewound",
        "forgotten",
        "rebalanced",
        "aborted",
    }
)
"""What actions do that is a fault; ``cut`` is one of them where no trap made it."""
_SILENT = frozenset({"closed", "health"})


def strikes(history: History) -> Iterator[Event]:
    """Yield the events of a history at which something bad was done to a service or its broker.

    Links that are cut together, one event each, are one strike.
    """
    trapped: Counter[tuple[str, str]] = Counter()
    asked: Counter[str] = Counter()  # to end, by a trap at either end of its link
    volley = ""
    for event in history.events:
        if event.event in _SILENT:
            continue
        if trapped[event.service, event.event]:
            trapped[event.service, event.event] -= 1
            continue
        if event.event == "stop" and (name := next((n for n in +asked if is_of(event.service, n)), "")):
            asked[name] -= 1
            continue
        if event.event == "cut":
            if volley != event.service:
                volley = event.service
                yield event
            continue
        # The links of a service that is cut off are part of that.
        volley = event.service if event.event == "isolated" else ""
        if event.event == "sprung":
            trap = trap_of(event, history.header.schedule)
            if trap and trap.do == "stop":
                asked[trap.service or event.service] += 1
            else:
                trapped[event.service, trap.do if trap else ""] += 1
            yield event
        elif event.event in ACTS:
            yield event
