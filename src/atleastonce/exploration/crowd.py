"""A crowd of messages: more of the kinds that a calm run took, where a schedule needs another number of them."""

from atleastonce.schedule import Message, Schedule

CROWD = 48
"""How many messages a crowd has, usually: schedules with as many share their clean runs."""


def crowd(given: Schedule, count: int) -> dict[str, Message]:
    """Return the messages ``m1`` … of a schedule: those of the given one, and its kinds in turn from there on."""
    bodies = [message.body for message in given.messages.values()]
    return {f"m{n + 1}": Message(id=f"o{n + 1}", body=bodies[n % len(bodies)]) for n in range(count)}
