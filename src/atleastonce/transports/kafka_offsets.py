"""What an operator, or a broker by itself, does to the offsets of a group that has no members."""

from collections.abc import Iterable, Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient

from atleastonce.transports.kafka_client import WITHIN, Place, settle

_END = -1
"""Stands for the end of a partition, where records are deleted."""


def moved(admin: AdminClient, group: str, topic: str, to: Mapping[int, int]) -> None:
    """Set a group's offsets, by partition; the others stay; raise KafkaException where it has a member."""
    places = [TopicPartition(topic, partition, offset) for partition, offset in to.items()]
    if places:
        request = ConsumerGroupTopicPartitions(group, places)
        settle(admin.alter_consumer_group_offsets([request], request_timeout=WITHIN))


def lost(admin: AdminClient, group: str, places: Iterable[Place], first: Mapping[int, int]) -> None:
    """Delete a group, and the records before these offsets; where there is none, all of the partition.

    Both have a time after which they are deleted, which is another one for each. Raise KafkaException where the
    group has a member.
    """
    settle(admin.delete_consumer_groups([group], request_timeout=WITHIN), {KafkaError.GROUP_ID_NOT_FOUND})
    gone = [TopicPartition(topic, partition, first.get(partition, _END)) for topic, partition in places]
    settle(admin.delete_records(gone, request_timeout=WITHIN))
