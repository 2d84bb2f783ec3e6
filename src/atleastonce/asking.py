"""Sends copies to a service over HTTP, and takes in what is answered: accepted, refused, or to be asked again."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from atleastonce.recording import Record
from atleastonce.transports import Envelope
from atleastonce.transports.http import CONFLICT, NO_ANSWER, HttpEntry, accepted, refused

_TRIES = ("request", "unreached")
_SAME = 3
"""How often a decided answer is seen before it is taken for one."""
_CONFLICTS = 40
"""The same for 409, with which some answer for as long as an earlier request is under way: some two seconds."""
_OPEN = (NO_ANSWER, 408, 425, 429, 503)
"""Answers that say by themselves that another one may follow."""


@dataclass(frozen=True)
class Pending:
    """A copy that nobody has said yes or no to: it is sent again, with the same idempotency key."""

    message: str
    copy: str
    envelope: Envelope
    poison: bool = False
    status: int = NO_ANSWER
    """What was answered last."""
    tried: bool = False
    """Whether a service has asked another one about it."""
    same: int = 0
    """How often in a row the same answer came, since it was tried, without anything being tried."""

    def answered(self, status: int, *, tried: bool) -> "Pending":
        """Return it after one more answer, for which another service was asked or not."""
        idle = status == CONFLICT or (self.tried and not tried and status not in _OPEN)
        return replace(
            self,
            status=status,
            tried=self.tried or tried,
            same=self.same + 1 if idle and status == self.status else 0,
        )

    @property
    def declined(self) -> bool:
        """Whether the services have decided, so that no other answer will come."""
        return self.same >= (_CONFLICTS if self.status == CONFLICT else _SAME)


@dataclass(frozen=True)
class Sent:
    """A copy that is under way: its answer, once there is one, and how many events there were before."""

    pending: Pending
    answer: Future[tuple[int, str]]
    before: int


class Asking:
    """The way in over HTTP of one lane; `note` records what the runner did, by event, copy and more facts."""

    def __init__(self, entry: HttpEntry, record: Record, note: Callable[..., Any]) -> None:
        self._entry = entry
        self._record = record
        self._note = note
        self._accepted: set[str] = set()
        self._open: set[str] = set()

    def begin(self) -> None:
        """Forget what was answered in an earlier case."""
        self._accepted.clear()
        self._open.clear()

    def ask(self, pending: Pending) -> Pending | None:
        """Send a copy, once; return it where the answer says neither yes nor no."""
        before = len(self._record)
        return self._taken(pending, *self._entry.ask(pending.envelope), before)

    def send(self, pending: Pending) -> Sent:
        """Send a copy, once, and return before it is answered."""
        threads, before = ThreadPoolExecutor(1), len(self._record)
        answer = threads.submit(self._entry.ask, pending.envelope)
        threads.shutdown(wait=False)
        return Sent(pending, answer, before)

    def take(self, sent: Sent) -> Pending | None:
        """Wait for the answer to a copy, and return it as `ask` does."""
        return self._taken(sent.pending, *sent.answer.result(), sent.before)

    def at_once(self, copies: Sequence[Pending]) -> list[Pending]:
        """Send copies at the same time; return those whose answer says neither yes nor no."""
        before = len(self._record)
        with ThreadPoolExecutor(len(copies)) as threads:
            answers = [*threads.map(self._entry.ask, [each.envelope for each in copies])]
        # Of several of the same message one may say that it was accepted, and so what the others mean.
        both = sorted(zip(copies, answers, strict=True), key=lambda pair: not accepted(pair[1][0]))
        taken = (self._taken(copy, *answer, before) for copy, answer in both)
        return [each for each in taken if each is not None]

    def _taken(self, pending: Pending, status: int, note: str, before: int) -> Pending | None:
        """Take an answer in; `before` is how many events there were when it was asked for.

        Once a message was accepted, a refusal says that it is known already. Behind a request whose outcome nobody
        knows, that it is, or never will be. Where a chain of services has tried in vain, it may have decided: then
        it gives the same answer to every repetition, without trying any more.
        """
        self._note("asked", copy=pending.copy, size=status, note=note)
        final = refused(status)
        if accepted(status):
            self._accepted.add(pending.message)
            self._note("published", copy=pending.copy, size=status, settles=True)
        elif pending.message in self._accepted and (final or status == CONFLICT):
            self._note("published", copy=pending.copy, size=status, settles=True, note=f"known: {note}")
        elif final and pending.message in self._open:
            self._note("declined", copy=pending.copy, size=status)
        elif not final:
            return self._unless_declined(pending, status, before)
        elif not pending.poison:
            self._note("published", copy=pending.copy, size=status, ok=False, note=note)
        return None

    def _unless_declined(self, pending: Pending, status: int, before: int) -> Pending | None:
        self._open.add(pending.message)
        about = (pending.message, None)
        tried = any(e.event in _TRIES and e.message in about for e in self._record.since(before))
        left = pending.answered(status, tried=tried)
        if left.declined:
            self._note("declined", copy=pending.copy, size=status)
            return None
        return left
