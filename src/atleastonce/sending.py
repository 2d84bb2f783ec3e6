"""Sends the copies of one case, and over HTTP sends again what got no answer, as any client does."""

import time
from collections.abc import Callable

from atleastonce.asking import Pending, Sent
from atleastonce.lane import Lane

_AGAIN_AFTER = 0.05
"""Seconds between two requests for the same copy."""


class Sending:
    """What was sent in one case, and what of it nobody has said yes or no to."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._pending: list[Pending] = []
        self._sent: Sent | None = None
        self._asked = 0.0

    def publish(self, message: str) -> None:
        """Send one more copy, and wait until it is taken or answered."""
        self._take(self._lane.publish(message))

    def publish_until(self, true: Callable[[], bool], message: str, within: float) -> None:
        """Do the same, but over HTTP wait for the answer no longer than until something is true."""
        self._sent = self._lane.send(message)
        if self._sent is None:
            self.publish(message)
        else:
            answered = self._sent.answer.done
            self._lane.record.await_(lambda: answered() or true(), within)
            if answered():
                self.await_answer()

    def burst(self, message: str) -> None:
        """Send copies over HTTP at the same time."""
        self._pending += self._lane.burst(message)

    def await_answer(self) -> None:
        """Wait for the answer to what is under way."""
        if self._sent is not None:
            sent, self._sent = self._sent, None
            self._take(self._lane.take(sent))

    def all_taken(self) -> bool:
        """Send again what got no answer, now and then; say whether nothing is left of it."""
        if self._sent is not None:
            if not self._sent.answer.done():
                return False
            self.await_answer()
        if self._pending and time.monotonic() - self._asked > _AGAIN_AFTER:
            asked = (self._lane.ask(each) for each in self._pending)
            self._pending = [each for each in asked if each is not None]
            self._asked = time.monotonic()
        return not self._pending

    def _take(self, pending: Pending | None) -> None:
        if pending is not None:
            self._pending.append(pending)
