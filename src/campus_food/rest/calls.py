"""What the synchronous order service remembers: for each key its order, the answer, and what to give back."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from campus_food.database import Database
from campus_food.messages import MAX_BODY, OrderRequest, TooLarge
from campus_food.schema import CALLS

# Built once: to build a statement takes longer than to carry it out.
_ADD = sa.insert(CALLS)
_DECIDE = (
    sa.update(CALLS)
    .where(CALLS.c.key == sa.bindparam("of"), CALLS.c.status.is_(None))
    .values({name: sa.bindparam(name) for name in ("status", "answer", "releasing")})
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller is told, now and whenever it repeats: a status, and the content."""

    status: int
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One order as it was asked for: its key, its id, the query with its faults; and its answer, once decided."""

    key: str
    order_id: str
    asked: OrderRequest
    wanted: str
    answer: Answer | None = None

    @property
    def body(self) -> bytes:
        """What the other services are sent; it is the same each time."""
        content = {"order_id": self.order_id, "user_id": self.asked.user_id, "items": dict(self.asked.items)}
        # Text stays as it is: escaped, an order that just fits would come out too large.
        return json.dumps(content, sort_keys=True, ensure_ascii=False).encode()


def new_call(asked: OrderRequest, key: str, wanted: str) -> Call:
    """Make a call; raise `TooLarge` where the other services would find it so."""
    call = Call(key, str(uuid.uuid4()), asked, wanted)
    if len(call.body) > MAX_BODY:
        raise TooLarge("body", f"expected an order that fits into {MAX_BODY} bytes with its id")
    return call


class Calls(Database):
    """The database of one order service.

    Promise: a key stands for one order, one order id and one answer, whatever crashes next and however many ask
    at once; with an answer that gives up, what is to be released is stored in the same transaction. Limits:
    keys are kept for ever, and are the callers' in common. Cost: two transactions, each with a flush to
    the disk, an order: before the first request to another service, and before the answer.
    """

    TABLES = (CALLS,)

    def begin(self, call: Call) -> Call:
        """Store a call; return the one that has its key: this one, unless the key was used before.

        Raises one of `TRANSIENT`, with nothing changed.
        """
        row = {
            "key": call.key,
            "order_id": call.order_id,
            "user_id": call.asked.user_id,
            "items": json.dumps(call.asked.items),
            "wanted": call.wanted,
            "releasing": False,
        }
        try:
            with self._engine.begin() as tx:
                tx.execute(_ADD, row)
        except IntegrityError:
            return self._one(CALLS.c.key == call.key)
        return call

    def decide(self, call: Call, answer: Answer, *, release: bool) -> Answer:
        """Store the answer, unless there is one; return the one that holds. `release` comes with it.

        Another instance may have carried out the same call: whoever stores first has decided.
        """
        row = {
            "of": call.key,
            "status": answer.status,
            "answer": json.dumps(dict(answer.content)),
            "releasing": release,
        }
        with self._engine.begin() as tx:
            decided = tx.execute(_DECIDE, row).rowcount
        return answer if decided else self._one(CALLS.c.key == call.key).answer or answer

    def undecided(self) -> list[Call]:
        """List the calls that have no answer: under way, or interrupted."""
        return self._all(CALLS.c.status.is_(None))

    def releasing(self) -> list[Call]:
        """List the calls whose reservation is still to be given back."""
        return self._all(CALLS.c.releasing.is_(True))

    def released(self, call: Call) -> None:
        """Remember that the reservation was given back."""
        with self._engine.begin() as tx:
            tx.execute(sa.update(CALLS).where(CALLS.c.key == call.key).values(releasing=False))

    def call(self, order_id: str) -> Call | None:
        """Return an order; None where there is none of this id."""
        return next(iter(self._all(CALLS.c.order_id == order_id)), None)

    def _one(self, which: sa.ColumnElement[bool]) -> Call:
        return self._all(which)[0]

    def _all(self, which: sa.ColumnElement[bool]) -> list[Call]:
        with self._engine.connect() as tx:
            return [_call(row) for row in tx.execute(sa.select(CALLS).where(which))]


def _call(row: Any) -> Call:
    answer = None if row.status is None else Answer(row.status, json.loads(row.answer))
    return Call(row.key, row.order_id, OrderRequest(row.user_id, json.loads(row.items)), row.wanted, answer)
