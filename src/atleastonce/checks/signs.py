"""What single events are signs of: a delivery, health, an interruption, a machine that was too slow, a failure."""

from collections.abc import Collection, Iterable

from atleastonce.history import Event, History

FAILURES = {
    "begun": "it failed before any fault: {note}",
    "unsprung": "the trap did not spring: {note}",
    "untraced": "{note}",
    "buried": "the links of the dead service could not be ended in order: {note}",
    "quiet": "not quiet in time: {note}",
    "unshown": "not quiet in time: {note}",
    "looped": "given up: {note}",
    "late": "{note} came after its case had been judged; raise observe.settles",
    "unreadable": "the relay could not read a frame that it must know: {note}",
    "recorder": "the recorder failed: {note}",
    "ready": "{note}",
    "published": "the broker did not confirm {copy}: {note}",
    "varied": "{note}",
}
"""How the events that are not ok are told, of those that leave nothing to judge."""


def failure(event: Event) -> str:
    """Say what failed."""
    said = FAILURES.get(event.event, f"{event.event}: {{note}}")
    return said.format(note=event.note, copy=event.copy)


def is_published(event: Event) -> bool:
    """Tell whether an event is a publication of ours that was confirmed or accepted."""
    return event.event == "published" and event.ok


def is_delivered(event: Event) -> bool:
    """Tell whether an event hands a message to a service."""
    return event.event in ("deliver", "fetch")


def passed_on(history: History) -> frozenset[tuple[str | None, str]]:
    """Return the copies that a service produced to a topic itself, each with that topic, as for a later try.

    There a record whose time has not come yet is read, put back and read again (pause and seek): that is no attempt.
    """
    return frozenset((event.copy, event.queue) for event in history.named("produce") if event.copy)


def is_healthy(event: Event) -> bool:
    """Tell whether a status, of an answer or of the health endpoint, is one of success."""
    return 200 <= event.size < 300  # noqa: PLR2004 - the range that HTTP gives to success


_INTERRUPTIONS = ("kill", "exit", "stop", "cut", "isolated", "broker-restarted", "join")


def interruption(history: History, begin: int = 0) -> Event | None:
    """Return the first event, from that place on, by which messages in hand may have been given back, or None.

    A link, or a channel of it, that closes counts where something had been delivered on it.
    """
    consuming: set[tuple[str, int, int]] = set()
    suspects = history.named(*_INTERRUPTIONS, "closed")
    for event in history.events[begin:] if suspects else ():
        if is_delivered(event):
            consuming |= {(event.service, event.link, channel) for channel in (0, event.channel)}
        elif event.event in _INTERRUPTIONS or (
            event.event == "closed" and (event.service, event.link, event.channel) in consuming
        ):
            return event
    return None


def unwitnessed(events: Collection[Event]) -> str | None:
    """Say why what is missing may not be accused: the canary was late, or did not fly at all (rule 7).

    The last one counts: after a late one the effect is awaited again.
    """
    if not any(event.event == "canary" for event in events):
        return "no canary kept the time beside the service"
    return late_canary(events)


def late_canary(events: Iterable[Event]) -> str | None:
    """Say how the last canary among these events was late; None where it was not, or none flew."""
    last = None
    for event in events:
        last = event if event.event == "canary" else last
    return None if last is None or last.ok else f"the machine was too slow for the canary too ({last.note})"
