"""What the subject's requests mean: one reader per API, each yielding the events that the request carries."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from atleastonce.history import Event
from atleastonce.relay.kafka_protocol import Api
from atleastonce.relay.kafka_records import Batch, batches
from atleastonce.relay.kafka_state import LEAVES, Asked, Copy, Link, Member, Place

_JOINING = 0


def _produce(link: Link, request: Any, asked: Asked) -> Iterator[Event]:
    asked.answered = request.acks != 0
    for topic in request.topic_data:
        name = link.shared.topic(topic)
        for part in topic.partition_data:
            written = asked.produced.setdefault((name, part.index), [])
            for batch in batches(part.records or b""):
                if request.transactional_id:
                    link.shared.transaction(request.transactional_id, batch.producer, batch.epoch)
                written += _written(link, batch, (name, part.index))
            yield from (event for event, _ in written)


def _written(link: Link, batch: Batch, place: Place) -> Iterator[tuple[Event, int]]:
    """Yield what a batch holds, each with the number of records that it stands for: all, where none is ours."""
    said = Event(event="produce", side="subject", queue=place[0], partition=place[1])
    if not link.shared.concerns(batch):
        yield replace(said, size=batch.size, note=foreign(batch)), batch.record_count
        return
    for record in batch.records():
        message, copy = link.shared.identify(record, produced=True)
        yield replace(said, message=message, copy=copy, size=len(record.value or b"")), 1


def foreign(batch: Batch) -> str:
    """Say that a batch holds nothing of ours: it is one event, since a busy service moves a million records."""
    return f"{batch.record_count} records, none of ours"


def _fetch(link: Link, request: Any, asked: Asked) -> Iterator[Event]:  # noqa: ARG001 - one form for all
    """Note from where the subject reads; a fetch session names only what changed since its last request."""
    for topic in request.topics:
        name = link.shared.topic(topic)
        for part in topic.partitions:
            link.positions[name, part.partition] = part.fetch_offset
            link.shared.names.turns.asked((name, part.partition), part.fetch_offset)
        if name not in link.consumed:
            link.consumed.add(name)
            yield Event(event="consume", side="subject", queue=name, group=link.group)


def _join(link: Link, request: Any, asked: Asked) -> Iterator[Event]:
    asked.group = request.group_id
    link.join(request.group_id)
    asked.instance = getattr(request, "group_instance_id", None) or ""
    # A join waits for the other members, unless the broker only has to give out a member id.
    asked.patient = bool(request.member_id)
    yield Event(event="join", side="subject", group=request.group_id)


def _heartbeat(link: Link, request: Any, asked: Asked) -> Iterator[Event]:
    asked.group = request.group_id
    link.join(request.group_id)
    asked.joins = request.member_epoch == _JOINING
    if asked.joins:
        link.shared.joined(request.group_id, request.member_id, Member(consumer_protocol=True))
        yield Event(event="join", side="subject", group=request.group_id)
    elif request.member_epoch == LEAVES:
        asked.leaving = [(request.group_id, request.member_id)]


def _leave(link: Link, request: Any, asked: Asked) -> Iterator[Event]:  # noqa: ARG001 - one form for all
    """Note who wants to leave; only the answer makes it so, since the request may be held back."""
    identities = getattr(request, "members", None) or [request]
    asked.leaving = [(request.group_id, each.member_id) for each in identities]
    yield from ()


def _commit(link: Link, request: Any, asked: Asked) -> Iterator[Event]:
    asked.group = request.group_id
    for topic in request.topics:
        name = link.shared.topic(topic)
        for part in topic.partitions:
            place, offset = (name, part.partition_index), part.committed_offset
            covered = link.shared.ledger.cover(place, offset)
            # Some clients name a partition once for each of its records: the last of these offsets holds.
            earlier = asked.covered[place][1] if place in asked.covered else []
            asked.covered[place] = (offset, [*earlier, *covered])
            yield from commits(request.group_id, place, offset, covered)


def _txn_commit(link: Link, request: Any, asked: Asked) -> Iterator[Event]:
    link.shared.transaction(request.transactional_id, request.producer_id, request.producer_epoch)
    asked.transactional = request.transactional_id
    yield from _commit(link, request, asked)


def _end_txn(link: Link, request: Any, asked: Asked) -> Iterator[Event]:
    asked.transactional, asked.commits = request.transactional_id, request.committed
    known = link.shared.transaction(request.transactional_id, request.producer_id, request.producer_epoch)
    note = "commit" if request.committed else "abort"
    for copy in link.shared.ledger.current(known.covers) or [NO_COPY]:
        yield Event(event="end-txn", side="subject", message=copy.message, copy=copy.copy, note=note)


def _opens_txn(link: Link, request: Any, asked: Asked) -> Iterator[Event]:  # noqa: ARG001 - one form for all
    """Note the transaction that a client begins; only brokers send the newer form, with several of them."""
    prefix = "v3_and_below_" if hasattr(request, "v3_and_below_producer_id") else ""
    names = ("transactional_id", "producer_id", "producer_epoch")
    if hasattr(request, prefix + names[0]):
        link.shared.transaction(*(getattr(request, prefix + name) for name in names))
    yield from ()


def _init_producer(link: Link, request: Any, asked: Asked) -> Iterator[Event]:  # noqa: ARG001 - one form for all
    """Forget what a new producer under an old id had open: the broker aborts it."""
    link.shared.forsake(request.transactional_id or "")
    yield from ()


def commits(group: str, place: Place, offset: int, covered: list[Copy]) -> Iterator[Event]:
    """Yield one event for every copy that a committed offset covers, or one without where it covers none."""
    for copy in covered or [NO_COPY]:
        yield Event(
            event="commit", side="subject", message=copy.message, copy=copy.copy, queue=place[0],
            partition=place[1], offset=offset, group=group,
        )  # fmt: skip


NO_COPY = Copy("", ("", -1), -1, None, None)

Reader = Callable[[Link, Any, Asked], Iterator[Event]]

REQUESTS: dict[int, Reader] = {
    Api.PRODUCE: _produce,
    Api.FETCH: _fetch,
    Api.OFFSET_COMMIT: _commit,
    Api.JOIN_GROUP: _join,
    Api.LEAVE_GROUP: _leave,
    Api.CONSUMER_GROUP_HEARTBEAT: _heartbeat,
    Api.INIT_PRODUCER_ID: _init_producer,
    Api.ADD_PARTITIONS_TO_TXN: _opens_txn,
    Api.ADD_OFFSETS_TO_TXN: _opens_txn,
    Api.TXN_OFFSET_COMMIT: _txn_commit,
    Api.END_TXN: _end_txn,
}
