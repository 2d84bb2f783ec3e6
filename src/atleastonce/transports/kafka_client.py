"""The Kafka client as we use it: settings, one table of its errors, one message out, everything in."""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from atleastonce.errors import TransportError
from atleastonce.transports import Envelope, Letter

Place = tuple[str, int]
"""A topic and a partition of it."""

WITHIN = 10.0
"""Seconds that the broker has for any one thing."""
_POLL = 0.05

REFUSED = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.POLICY_VIOLATION,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
}
"""Errors that mean that the copy is certainly not on the broker; after any other it may be."""

NOT_YET = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError._NOENT,  # noqa: SLF001 - "no leaders found"; these are public constants of the library
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
}
"""Errors of a topic that was created a moment ago."""

BASE = {
    "log_level": 0,  # what matters comes as an exception; librdkafka would write to the user's terminal
    "socket.timeout.ms": int(WITHIN * 1000),
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 200,
}
PRODUCER = {
    **BASE,
    "acks": "all",
    "enable.idempotence": True,  # or a retry of the library's own would be a copy that nobody counts
    "linger.ms": 0,
    "message.timeout.ms": int(WITHIN * 1000),
    "partitioner": "murmur2_random",  # as the Java client: keys lie where producers mostly put them
}
CONSUMER = {
    **BASE,
    "group.id": "atleastonce",  # the library wants one; nothing is ever committed under it
    "enable.auto.commit": False,
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 10,  # an end behind transaction markers shows in an empty fetch only
    "auto.offset.reset": "error",
}


@contextlib.contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Raise every foreign exception as a TransportError that says what was attempted."""
    try:
        yield
    except KafkaException as exc:
        error = exc.args[0]
        raise TransportError(f"cannot {attempt}: {error.name()} {error.str()}".rstrip()) from exc
    except (TimeoutError, BufferError) as exc:
        raise TransportError(f"cannot {attempt}: {exc or 'no answer in time'}".rstrip()) from exc


def echo(bootstrap: str, topic: str) -> None:
    """Produce one message to a topic that exists and read it back; raise TransportError.

    Costs two clients of our own and no group, so that it shows the broker's pace and the machine's only.
    """
    servers = {"bootstrap.servers": bootstrap}
    with translated("send a message through the broker"):
        consumer = Consumer({**CONSUMER, **servers})
        try:
            # Without idempotence, which takes half a second to set up; a second canary does no harm.
            producer = Producer({**PRODUCER, **servers, "enable.idempotence": False})
            report = produced(producer, topic, Envelope(b"canary"))
            if (error := report.error()) is not None:
                raise KafkaException(error)
            place, offset = (topic, report.partition() or 0), report.offset() or 0
            read(consumer, {place: offset + 1}, {place: offset})
        finally:
            consumer.close()


def produced(producer: Producer, topic: str, envelope: Envelope) -> Message:
    """Send one copy and return its delivery report; raise TimeoutError."""
    reports: list[Message] = []
    producer.produce(
        topic,
        envelope.body,
        envelope.key,
        headers=[(name, value.encode()) for name, value in envelope.headers.items()],
        on_delivery=lambda _, message: reports.append(message),
    )
    until = time.monotonic() + 2 * WITHIN  # the library's own limit comes first, with the better reason
    while not reports:
        producer.poll(_POLL)
        if time.monotonic() > until:
            raise TimeoutError("no delivery report came")
    return reports[0]


def read(consumer: Consumer, ends: Mapping[Place, int], done: dict[Place, int]) -> list[Message]:
    """Read each partition from where `done` says to its end, and move `done` there; raise TimeoutError.

    An end may lie behind markers of transactions, which no consumer sees: the library's end-of-partition
    event says that it is reached then.
    """
    messages: list[Message] = []
    left = dict(ends)
    until = time.monotonic() + WITHIN
    consumer.assign([TopicPartition(*place, done.get(place, 0)) for place in left])
    try:
        while left:
            message = consumer.poll(_POLL)
            if message is None:
                if time.monotonic() > until:
                    raise TimeoutError(f"{len(left)} partitions were not read to their ends")
                continue
            place, offset = (str(message.topic()), message.partition() or 0), message.offset() or 0
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - a public constant
                raise KafkaException(error)
            if place not in left:
                continue  # it came after the end that was asked for: the next reading takes it
            if error is None:
                messages.append(message)
                offset += 1
            if offset >= left[place]:
                del left[place]
                done[place] = offset
    finally:
        consumer.unassign()
    return messages


def letter(queue: str, message: Message) -> Letter:
    """Return a message as the rest of the program knows it, from the queue that the contract calls so."""
    pairs: list[tuple[str, Any]] = list(message.headers() or ())  # type: ignore[arg-type]  # never a dict here
    headers = {name: _text(value) for name, value in pairs}
    key = message.key()
    return Letter(queue, message.value(), {}, headers, None if key is None else str(_text(key)))


def _text(value: bytes | str | None) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def settle(futures: Mapping[Any, Future[Any]], ignored: Collection[int] = ()) -> None:
    """Wait for everything that was asked of the broker; errors in `ignored` are as good as done."""
    for future in futures.values():
        try:
            future.result(WITHIN)
        except KafkaException as exc:
            if exc.args[0].code() not in ignored:
                raise
