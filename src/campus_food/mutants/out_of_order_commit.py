"""Breaks: nothing-lost.

Several workers share a partition, and whoever is done commits behind its own record, if nobody did so further on:
the highest that is done, not the lowest that is not. A crash loses what was still at work before it. Seen in
sarama#1840.

A race. That some work takes longer than other is a short wait here, for what is begun while nothing else is at work.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from confluent_kafka import Message, TopicPartition

from campus_food.kafka.clients import Place, Publisher, producer_settings
from campus_food.kafka.consumer import positions
from campus_food.kafka.dead_letters import set_aside
from campus_food.kafka.events import encode
from campus_food.kafka.inventory import COMMITTING, Inventory, main

THREADS = 4
TAKES = 0.25  # seconds


class OutOfOrderCommit(Inventory):
    """Works on several records at once."""

    def connected(self) -> None:
        """Begin anew."""
        self.told.clear()
        self.publisher = Publisher(producer_settings(self.cluster))
        self.pool = ThreadPoolExecutor(THREADS)
        self.at_work: list[Future[None]] = []
        self.furthest: dict[Place, int] = {}
        self.turn = threading.Lock()

    def handle(self, records: Sequence[Message]) -> None:
        """Give each record to a worker."""
        for record in records:
            self.idle()
            takes = 0.0 if self.at_work else TAKES
            self.at_work.append(self.pool.submit(self._work, record, takes))

    def idle(self) -> None:
        """Forget what is done; where it failed, so does the session."""
        done = [each for each in self.at_work if each.done()]
        self.at_work = [each for each in self.at_work if each not in done]
        for each in done:
            each.result()

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Finish what is at work before somebody else has it."""
        wait(self.at_work)
        for each in partitions:
            self.furthest.pop((each.topic, each.partition), None)

    def _work(self, record: Message, takes: float) -> None:
        time.sleep(takes)
        with self.turn:
            self._do(record)
            for place, offset in positions([record]).items():
                if offset > self.furthest.get(place, 0):
                    self.furthest[place] = offset
                    self._commit(place, offset)

    def _do(self, record: Message) -> None:
        orders, poison = self.read([record])
        for each in self.retry(lambda: self.store.decide(orders, self.told)) if orders else []:
            for event in each.events:
                self.publisher.produce(self.cluster.events, event.order_id, encode(event))
        for bad, reason in poison:
            set_aside(self.publisher.produce, self.cluster.dead_letters, bad, reason)
        self.publisher.flush()

    def _commit(self, place: Place, offset: int) -> None:
        offsets = [TopicPartition(*place, offset)]
        self.ask(lambda: self._client.commit(offsets=offsets, asynchronous=False), within=COMMITTING)


if __name__ == "__main__":
    main(inventory=OutOfOrderCommit)
