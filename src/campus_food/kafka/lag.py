"""How far consumers are behind, by partition."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions as Group
from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # documented

from campus_food.kafka.clients import Cluster, Place, connection

ANSWER = 5.0  # seconds


class Ends:
    """Asks the broker where topics end, and how far a group has committed; connects when it is first asked."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._connecting = threading.Lock()
        self._client: Any = None

    @property
    def _admin(self) -> Any:
        with self._connecting:
            if self._client is None:
                self._client = AdminClient(connection(self._cluster))
            return self._client

    def partitions(self, topics: Sequence[str]) -> list[Place]:
        """Return the partitions of these topics; raises `KafkaException` where one is not there."""
        found = []
        for topic in topics:
            described = self._admin.list_topics(topic, timeout=ANSWER).topics[topic]
            if described.error is not None:
                raise KafkaException(described.error)
            found += [(topic, partition) for partition in sorted(described.partitions)]
        return found

    def ends(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the high watermarks; raises `KafkaException`."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(*place): latest for place in places}
        answers = self._admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=ANSWER
        )
        return {
            (each.topic, each.partition): int(told.result(ANSWER).offset) for each, told in answers.items()
        }

    def committed(self, places: Sequence[Place]) -> dict[Place, int]:
        """Return the offsets that the group has committed; raises `KafkaException`."""
        asked = [Group(self._cluster.group, [TopicPartition(*place) for place in places])]
        answer = self._admin.list_consumer_group_offsets(asked, request_timeout=ANSWER)[self._cluster.group]
        found = answer.result(ANSWER).topic_partitions
        return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}


def lag(ends: Mapping[Place, int], reached: Mapping[Place, int]) -> dict[str, Any]:
    """Return for each partition how far it was read, where it ends, and what is between; and the sum."""
    rows: list[dict[str, Any]] = []
    for (topic, partition), end in sorted(ends.items()):
        position = min(reached.get((topic, partition), 0), end)
        row = {"topic": topic, "partition": partition, "position": position, "end": end}
        rows.append({**row, "lag": end - position})
    return {"lag": sum(row["lag"] for row in rows), "partitions": rows}


def furthest(*found: Mapping[Place, int]) -> dict[Place, int]:
    """Return for each partition the furthest of several positions."""
    furthest: dict[Place, int] = {}
    for positions in map(dict, found):  # copies: the worker's own go on
        for place, offset in positions.items():
            furthest[place] = max(offset, furthest.get(place, 0))
    return furthest
