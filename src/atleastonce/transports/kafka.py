"""Kafka for one lane: topics and a group of its own, confirmed publishing, reading what came out."""

import time
from collections.abc import Collection, Iterable, Mapping
from types import TracebackType
from typing import Self

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]  # documented

from atleastonce.contract import Contract
from atleastonce.errors import TransportError
from atleastonce.transports import Envelope, Letter, Receipt, Subscription, kafka_group, kafka_offsets
from atleastonce.transports.kafka_client import (
    BASE,
    CONSUMER,
    NOT_YET,
    PRODUCER,
    REFUSED,
    WITHIN,
    Place,
    echo,
    letter,
    produced,
    read,
    settle,
    translated,
)

__all__ = ["KafkaNamespace", "echo"]

_PAUSE = 0.01


class KafkaNamespace:
    """Topics ``<name>.<NAME>`` for each NAME that the contract gives, and the group ``<name>.group``.

    A topic that the contract names without defining it is the subject's own and keeps its name. With the topics of
    another namespace, only the group is its own.
    """

    def __init__(
        self, bootstrap: str, name: str, contract: Contract, topics: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.group = f"{name}.group"
        self._guest = topics is not None
        self.topics = topics or {topic: f"{name}.{topic}" for topic in contract.topics}
        self._contract = contract
        self._servers = {"bootstrap.servers": bootstrap}
        self._groups = {self.group}
        self._reader: Consumer | None = None
        self._done: dict[Place, int] = {}
        self._void: set[tuple[Place, int]] = set()
        self._skipped: set[tuple[Place, int]] = set()

    def __enter__(self) -> Self:
        self._connect()
        wanted = [
            NewTopic(self.topics[name], num_partitions=topic.partitions)
            for name, topic in self._contract.topics.items()
            if not self._guest
        ]
        with translated(f"create the topics {', '.join(self.topics.values())}"):
            settle(self._admin.create_topics(wanted) if wanted else {})
            for topic in wanted:
                self._await_usable(topic.topic, topic.num_partitions)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._disconnect()
        gone = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND}
        # A group whose member is still there expires by itself, once its topics are gone.
        gone |= {KafkaError.NON_EMPTY_GROUP}
        with translated(f"remove the topics and groups of {self.name}"):
            topics = [] if self._guest else list(self.topics.values())
            settle(self._admin.delete_topics(topics) if topics else {}, gone)
            settle(self._admin.delete_consumer_groups(list(self._groups)), gone)

    def placeholders(self, host: str, port: int) -> dict[str, str]:
        """Return ``kafka_bootstrap``, ``group`` and ``topic:NAME`` for each topic of the contract."""
        named = {f"topic:{name}": topic for name, topic in self.topics.items()}
        return {"kafka_bootstrap": f"{host}:{port}", "group": self.group, **named}

    def ends(self) -> tuple[str, ...]:
        """Return the output topics and the dead-letter topic, as they are called on the broker."""
        output = self._contract.output
        return tuple(self._real(topic) for topic in (*output.topics, output.dead_letters) if topic)

    def prepare(self) -> None:
        """Check that the topics which the contract names exist, and from where outputs are read."""
        output = self._contract.output
        for topic in (*output.topics, output.dead_letters, self._contract.input.topic):
            if topic:
                self._partitions(self._real(topic))

    def publish(self, envelope: Envelope) -> Receipt:
        """Produce one copy to the input topic, and wait for its delivery report."""
        topic = self._real(self._contract.input.topic)
        with translated(f"publish to the topic {topic}"):
            report = produced(self._producer, topic, envelope)
        error = report.error()
        if error is None:
            return Receipt(confirmed=True, partition=report.partition() or 0, offset=report.offset() or 0)
        if error.code() in REFUSED:
            return Receipt(confirmed=False, note=f"{error.name()} {error.str()}")
        raise TransportError(f"cannot publish to the topic {topic}: {error.name()} {error.str()}")

    def outputs(self, consumed: Collection[str] = ()) -> list[Letter]:  # noqa: ARG002 - reading takes nothing away
        """Take what lies in the output topics up to their ends now."""
        return self._take(self._contract.output.topics)

    def dead_letters(self) -> list[Letter]:
        """Take what lies in the dead-letter topic up to its end now."""
        name = self._contract.output.dead_letters
        return self._take((name,)) if name else []

    def depth(self, subscriptions: Collection[Subscription]) -> int:
        """Count the offsets between what the groups have committed and the ends of their topics.

        Markers of transactions count too (1 each). A subscription without a group, or whose group nobody ever
        joined, counts nothing; a group that committed nothing yet has everything of the input before it. Of another
        topic it has nothing: what a service keeps its state in (a changelog, of Kafka Streams for instance) is read
        again by each life of it, over the links of its group, and never committed.
        """
        return sum(self._lag(s.group, self._real(s.queue)) for s in set(subscriptions) if s.group)

    def again(self, name: str) -> "KafkaNamespace":
        """Return another one with the same topics, and a group of its own."""
        return KafkaNamespace(self._servers["bootstrap.servers"], name, self._contract, self.topics)

    # -- the pieces

    def exists(self, queue: str) -> bool:  # noqa: ARG002 - a producer to a topic that is not there gets an error
        """Say yes: nothing is dropped."""
        return True

    def delays(self) -> Mapping[str, bool]:
        """Return nothing: a record stays where it is."""
        return {}

    def only_queues(self) -> Mapping[str, str]:
        """Return nothing: there are no exchanges."""
        return {}

    def reopen(self) -> None:
        """Take new clients: librdkafka (2.13 to 2.15, its issue 5301) may have forgotten where the broker is."""
        self._disconnect()
        self._connect()

    def unroute(self, queue: str) -> None:
        """Refuse: a topic is not taken away from under a producer."""
        raise TransportError(f"cannot delete the topic {queue!r} and make it again as it was")

    def reroute(self, queue: str) -> None:
        """Refuse, as `unroute` does."""
        self.unroute(queue)

    def reached(self, subscriptions: Collection[Subscription]) -> Mapping[int, int]:
        """Return, by partition of the input, the offset before which every group has committed everything."""
        found: dict[int, int] = {}
        for topic, group in self._reading(subscriptions):
            with translated(f"read how far the group {group} is on the topic {topic}"):
                committed = self._committed(group, self._partitions(topic))
            found |= {p: min(found.get(p, offset), offset) for (_, p), offset in committed.items()}
        return found

    def skip(self, partition: int, offset: int) -> None:
        """Have a record wait for nobody, as long as the group has committed nothing behind it."""
        self._skipped.add(((self._real(self._contract.input.topic), partition), offset))

    def abort(self, envelope: Envelope) -> None:
        """Produce one copy in a transaction, and abort that; its place is known, since it counts for nothing."""
        topic = self._real(self._contract.input.topic)
        with translated(f"abort a transaction on the topic {topic}"):
            report = kafka_group.aborted(self._servers, self.name, topic, envelope)
            place, offset = (topic, report.partition() or 0), report.offset() or 0
            self._await_decided(place, offset)
        self._void.add((place, offset))

    def rebalance(self, subscriptions: Collection[Subscription]) -> bool:
        """Let a second member join the groups that read the input, take its part, and leave again."""
        done = []
        for topic, group in self._reading(subscriptions):
            with translated(f"join the group {group}"):
                done.append(kafka_group.joined(self._admin, self._servers, group, topic))
        return any(done)

    def rewind(self, subscriptions: Collection[Subscription], first: Mapping[int, int]) -> None:
        """Move the offsets of groups without members back to these, by partition of the input."""
        for topic, group in self._reading(subscriptions):
            with translated(f"move back the offsets of the group {group}"):
                kafka_offsets.moved(self._admin, group, topic, first)

    def forget(self, subscriptions: Collection[Subscription], first: Mapping[int, int]) -> None:
        """Lose the offsets of groups without members, and the records of the input before these offsets."""
        for topic, group in self._reading(subscriptions):
            with translated(f"lose the offsets of the group {group}"):
                kafka_offsets.lost(self._admin, group, self._partitions(topic), first)

    def _connect(self) -> None:
        self._admin = AdminClient({**BASE, **self._servers})
        # Now, since the producer id takes the library half a second, which passes while the subject starts.
        self._producer = Producer({**PRODUCER, **self._servers})

    def _disconnect(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _reading(self, subscriptions: Collection[Subscription]) -> list[Subscription]:
        """Return those of groups that read the input."""
        topic = self._real(self._contract.input.topic)
        return [each for each in subscriptions if each.queue == topic and each.group]

    def _real(self, topic: str) -> str:
        """Return the name on the broker of a topic that the contract, or an event, names."""
        return self.topics.get(topic, topic)

    def _take(self, topics: Iterable[str]) -> list[Letter]:
        names = {self._real(topic): topic for topic in topics}
        with translated(f"read the topics {', '.join(names)}"):
            places = [place for topic in names for place in self._partitions(topic)]
            ends = self._ends(places, IsolationLevel.READ_COMMITTED)
            due = {place: end for place, end in ends.items() if end > self._done.get(place, 0)}
            if not due:
                return []
            if self._reader is None:
                self._reader = Consumer({**CONSUMER, **self._servers})
            messages = read(self._reader, due, self._done)
        messages.sort(key=lambda message: (message.topic(), message.partition(), message.offset()))
        return [letter(names[str(message.topic())], message) for message in messages]

    def _lag(self, group: str, topic: str) -> int:
        self._groups.add(group)
        with translated(f"read how far the group {group} is on the topic {topic}"):
            places = self._partitions(topic)
            ends = self._ends(places, IsolationLevel.READ_UNCOMMITTED)
            committed = self._committed(group, places)
            is_input = topic == self._real(self._contract.input.topic)
            if not committed and not (is_input and self._exists(group)):
                return 0
            # Where nothing is committed, a group owes what is still there.
            begin = self._begins([place for place, end in ends.items() if end and place not in committed])
            done = {**begin, **committed}
            owed = {place: range(done.get(place, 0), self._solid(place, end)) for place, end in ends.items()}
            skipped = sum(offset in owed.get(place, ()) for place, offset in self._skipped)
            return sum(map(len, owed.values())) - skipped

    def _committed(self, group: str, places: list[Place]) -> dict[Place, int]:
        """Return the offsets that the group has committed; none for a partition without."""
        request = ConsumerGroupTopicPartitions(group, [TopicPartition(*place) for place in places])
        answers = self._admin.list_consumer_group_offsets([request], request_timeout=WITHIN)
        try:
            offsets = answers[group].result(WITHIN).topic_partitions
        except KafkaException as exc:
            if exc.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return {}
            raise
        return {(each.topic, each.partition): each.offset for each in offsets if each.offset >= 0}

    def _exists(self, group: str) -> bool:
        answers = self._admin.describe_consumer_groups([group], request_timeout=WITHIN)
        try:
            return bool(answers[group].result(WITHIN).state != ConsumerGroupState.DEAD)
        except KafkaException as exc:
            if exc.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return False
            raise

    def _ends(self, places: list[Place], isolation: IsolationLevel) -> dict[Place, int]:
        """Return the offset behind the last record; with READ_COMMITTED, the last decided one."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(*place): latest for place in places}
        answers = self._admin.list_offsets(asked, isolation_level=isolation, request_timeout=WITHIN)
        return {(each.topic, each.partition): f.result(WITHIN).offset for each, f in answers.items()}

    def _solid(self, place: Place, end: int) -> int:
        """Return the offset behind the last record that a group owes: an aborted one, and its marker, are none."""
        while found := [n for n in (1, 2) if (place, end - n) in self._void]:
            end -= found[0]
        return end

    def _begins(self, places: list[Place]) -> dict[Place, int]:
        """Return the offset of the first record that is still there."""
        earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(*place): earliest for place in places}
        answers = self._admin.list_offsets(asked, request_timeout=WITHIN) if asked else {}
        return {(each.topic, each.partition): f.result(WITHIN).offset for each, f in answers.items()}

    def _partitions(self, topic: str) -> list[Place]:
        with translated(f"find the topic {topic}"):
            found = self._admin.list_topics(topic, timeout=WITHIN).topics[topic]
            if found.error is not None:
                raise KafkaException(found.error)
        return [(topic, partition) for partition in found.partitions]

    def _await_decided(self, place: Place, offset: int) -> None:
        """Wait until the marker of an aborted record is written: it follows the answer, and must follow the record."""
        until = time.monotonic() + WITHIN
        while self._ends([place], IsolationLevel.READ_COMMITTED)[place] <= offset:
            if time.monotonic() > until:
                raise TransportError(
                    f"aborted a transaction on the topic {place[0]}, and found it open {WITHIN:g} s later; "
                    "is the broker able to write to its own topics?"
                )
            time.sleep(_PAUSE)

    def _await_usable(self, topic: str, partitions: int) -> None:
        """Wait until every partition answers: creation goes on after the broker has named its leaders."""
        until = time.monotonic() + WITHIN
        places = [(topic, partition) for partition in range(partitions)]
        while True:
            try:
                self._ends(places, IsolationLevel.READ_UNCOMMITTED)
            except KafkaException as exc:
                if exc.args[0].code() not in NOT_YET or time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)
            else:
                return
