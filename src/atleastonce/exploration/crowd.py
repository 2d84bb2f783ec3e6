"""A crowd of messages: more of the kinds that a calm run took, where a schedule needs another number of them."""

from atleastonce.schedule import Message, Schedule


def crowd(given: Schedule, count: int) -> dict[str, Message]:
    """Return the messages ``m1`` … of a schedule, taking the kinds of the given one in turn."""
    bodies = [message.body for message in given.messages.values()]
    return {f"m{n}": Message(id=f"o{n}", body=bodies[n % len(bodies)]) for n in range(1, count + 1)}
