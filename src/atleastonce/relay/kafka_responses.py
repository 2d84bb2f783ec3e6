"""What the broker's answers mean: one reader per API, each yielding the events that the answer carries."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from kio.schema.errors import ErrorCode
from msgspec.structs import replace

from atleastonce.history import Event
from atleastonce.relay.kafka_protocol import Api
from atleastonce.relay.kafka_records import Batch, until, visible
from atleastonce.relay.kafka_requests import NO_COPY, commits, foreign
from atleastonce.relay.kafka_state import Asked, Link, Member, Place

_WRITTEN = {ErrorCode.none, ErrorCode.duplicate_sequence_number}
"""A duplicate sequence number says that an idempotent producer's batch lies there already."""


def _metadata(link: Link, answer: Any, asked: Asked) -> Iterator[Event]:  # noqa: ARG001 - one form for all
    """Learn which id stands for which topic."""
    for topic in answer.topics:
        if topic.name and getattr(topic, "topic_id", None):
            link.shared.topics[topic.topic_id] = topic.name
    yield from ()


def _produced(link: Link, answer: Any, asked: Asked) -> Iterator[Event]:
    for topic in answer.responses:
        name = link.shared.topic(topic)
        for part in topic.partition_responses:
            ok = part.error_code in _WRITTEN
            note = "" if part.error_code == ErrorCode.none else part.error_code.name
            at = part.base_offset
            for event, count in asked.produced.get((name, part.index), ()):
                offset = at if ok and part.base_offset >= 0 else -1
                yield replace(event, event="confirm", side="broker", offset=offset, ok=ok, note=note)
                at += count


def _fetched(link: Link, answer: Any, asked: Asked) -> Iterator[Event]:  # noqa: ARG001 - one form for all
    """Yield what the subject gets to see; a batch may begin before the offset that was asked for."""
    for topic in answer.responses:
        name = link.shared.topic(topic)
        for part in topic.partitions:
            place = (name, part.partition_index)
            for batch in visible(part.records or b"", part.aborted_transactions):
                yield from _seen(link, place, batch)


def limited(link: Link, answer: Any) -> Any | None:
    """Return an answer to a fetch without what is not to be served yet, None where it may pass as it is."""
    changed = False
    topics = []
    for topic in answer.responses:
        name = link.shared.topic(topic)
        parts = []
        for part in topic.partitions:
            limit = link.shared.names.turns.limit((name, part.partition_index))
            served = part.records if limit is None else until(part.records or b"", limit)
            changed = changed or len(served or b"") < len(part.records or b"")
            parts.append(part if limit is None else dataclasses.replace(part, records=served))
        topics.append(dataclasses.replace(topic, partitions=tuple(parts)))
    return dataclasses.replace(answer, responses=tuple(topics)) if changed else None


def _seen(link: Link, place: Place, batch: Batch) -> Iterator[Event]:
    start, group = link.positions.get(place, 0), link.group
    said = Event(event="fetch", side="broker", queue=place[0], partition=place[1], group=group)
    if not link.shared.concerns(batch):
        if batch.last >= start:
            yield replace(said, offset=batch.last, size=batch.size, note=foreign(batch))
        return
    for record in batch.records():
        if record.offset < start:
            continue
        message, copy = link.shared.identify(record, produced=False)
        if message is not None:
            link.shared.ledger.fetch(place, record.offset, message, copy)
        size = len(record.value or b"")
        yield replace(said, message=message, copy=copy, offset=record.offset, size=size)


def _joined(link: Link, answer: Any, asked: Asked) -> Iterator[Event]:
    """Remember the member; one that was only given an id so far keeps its group waiting just the same."""
    if answer.error_code in {ErrorCode.none, ErrorCode.member_id_required}:
        link.shared.joined(asked.group, answer.member_id, Member(instance=asked.instance))
    if answer.error_code == ErrorCode.none:
        yield _is_in(asked)


def _heartbeat(link: Link, answer: Any, asked: Asked) -> Iterator[Event]:
    if answer.error_code == ErrorCode.none and not asked.leaving:
        link.shared.joined(asked.group, answer.member_id or "", Member(consumer_protocol=True))
        if asked.joins:
            yield _is_in(asked)
    yield from _left(link, answer, asked)


def _is_in(asked: Asked) -> Event:
    """Return the answer by which a member is in its group."""
    return Event(event="response", of="join", side="broker", group=asked.group)


def _left(link: Link, answer: Any, asked: Asked) -> Iterator[Event]:
    if answer.error_code == ErrorCode.none:
        for gone in asked.leaving:
            link.shared.members.pop(gone, None)
    yield from ()


def _committed(link: Link, answer: Any, asked: Asked) -> Iterator[Event]:
    """Say which copies the commit settled; those of a refused one are uncovered again."""
    for place, error in _errors(link, answer):
        offset, covered = asked.covered.pop(place, (-1, []))
        ok = error == ErrorCode.none
        if ok:  # an earlier commit, below this one, may have been refused while this one was on its way
            covered += link.shared.ledger.cover(place, offset)
        else:
            link.shared.ledger.put_back(covered)
        for event in commits(asked.group, place, offset, covered):
            yield _response(event, "commit", ok=ok, settles=ok, note="" if ok else error.name)


def _txn_committed(link: Link, answer: Any, asked: Asked) -> Iterator[Event]:
    """Put what is covered under its transaction: the offsets count once that commits."""
    transaction = link.shared.transactions.get(asked.transactional)
    for place, error in _errors(link, answer):
        offset, covered = asked.covered.pop(place, (-1, []))
        ok = error == ErrorCode.none
        if ok and transaction is not None:
            transaction.covers += covered
        else:
            link.shared.ledger.put_back(covered)
        for event in commits(asked.group, place, offset, covered):
            yield _response(event, "commit", ok=ok, note="in a transaction" if ok else error.name)


def _ended_txn(link: Link, answer: Any, asked: Asked) -> Iterator[Event]:
    ok = answer.error_code == ErrorCode.none
    known = link.shared.transactions.get(asked.transactional)
    covers = link.shared.ledger.current(known.covers) if known else []
    note = ("commit" if asked.commits else "abort") if ok else answer.error_code.name
    for copy in covers or [NO_COPY]:
        event = Event(
            event="end-txn",
            message=copy.message,
            copy=copy.copy,
            queue=copy.place[0],
            partition=copy.place[1],
        )
        yield _response(event, "end-txn", ok=ok, settles=ok and asked.commits, note=note)
    if ok and not asked.commits:
        link.shared.forsake(asked.transactional)
    elif ok:
        link.shared.transactions.pop(asked.transactional, None)


def _errors(link: Link, answer: Any) -> Iterator[tuple[Place, ErrorCode]]:
    for topic in answer.topics:
        name = link.shared.topic(topic)
        for part in topic.partitions:
            yield (name, part.partition_index), part.error_code


def _response(event: Event, of: str, *, ok: bool, settles: bool = False, note: str) -> Event:
    """Return the answer to what an event was about; without a message of ours nothing is settled."""
    settles = settles and event.message is not None
    return replace(event, event="response", side="broker", of=of, ok=ok, settles=settles, note=note)


Reader = Callable[[Link, Any, Asked], Iterator[Event]]

RESPONSES: dict[int, Reader] = {
    Api.METADATA: _metadata,
    Api.PRODUCE: _produced,
    Api.FETCH: _fetched,
    Api.OFFSET_COMMIT: _committed,
    Api.JOIN_GROUP: _joined,
    Api.LEAVE_GROUP: _left,
    Api.CONSUMER_GROUP_HEARTBEAT: _heartbeat,
    Api.TXN_OFFSET_COMMIT: _txn_committed,
    Api.END_TXN: _ended_txn,
}
