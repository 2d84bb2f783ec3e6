"""A Kafka client that produces, or consumes, as fast as it can, and prints the rate: the relay is compared with it.

`produce SERVERS TOPIC COUNT` prints records a second until all are confirmed; `consume SERVERS TOPIC COUNT` from the
first to the last record of a topic with one partition.
"""

import sys
import time
import uuid

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

VALUE = b"x" * 200
BATCH = 1000


def produce(servers: str, topic: str, count: int) -> float:
    """Return the records a second."""
    producer = Producer({"bootstrap.servers": servers, "queue.buffering.max.messages": 10_000_000})
    producer.list_topics(topic, 10)  # connected, as a service is that has run for a while
    began = time.perf_counter()
    for number in range(count):
        producer.produce(topic, VALUE, partition=0)
        if not number % BATCH:
            producer.poll(0)
    assert producer.flush(60) == 0
    return count / (time.perf_counter() - began)


def consume(servers: str, topic: str, count: int) -> float:
    """Return the records a second."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": uuid.uuid4().hex})
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    left, began = count, 0.0
    while left > 0:
        got = len(consumer.consume(BATCH, 0.1))
        if not began:
            began, count = time.perf_counter(), count - got
        left -= got
    seconds = time.perf_counter() - began
    consumer.close()
    return count / seconds


if __name__ == "__main__":
    todo = {"produce": produce, "consume": consume}[sys.argv[1]]
    print(todo(sys.argv[2], sys.argv[3], int(sys.argv[4])))  # noqa: T201 - what it is asked for
