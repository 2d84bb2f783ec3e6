"""Breaks: nothing-lost.

What cannot be handled now is not committed, so that it may come again. But nobody goes back to it, and the next
commit, of what was read meanwhile, takes it along: on Kafka not to commit is no refusal. Seen in faststream#2618.
"""

import logging
from collections.abc import Sequence

from confluent_kafka import KafkaException, Message, TopicPartition

from campus_food.kafka.clients import Place, Publisher, producer_settings
from campus_food.kafka.consumer import positions
from campus_food.kafka.dead_letters import set_aside
from campus_food.kafka.events import encode
from campus_food.kafka.inventory import COMMITTING, Inventory, main

ONE_TRY = {"enable.idempotence": False, "message.send.max.retries": 0}

log = logging.getLogger(__name__)


class NackIsSkip(Inventory):
    """Publishes without transactions, and commits how far it has read."""

    def connected(self) -> None:
        """Begin anew."""
        self.told.clear()
        self.read_to: dict[Place, int] = {}
        self.publisher = Publisher(producer_settings(self.cluster) | ONE_TRY)

    def handle(self, records: Sequence[Message]) -> None:
        """Do a batch, and commit it together with those that were refused before."""
        self.read_to |= positions(records)
        orders, poison = self.read(records)
        decided = self.retry(lambda: self.store.decide(orders, self.told)) if orders else []
        try:
            for each in decided:
                for event in each.events:
                    self.publisher.produce(self.cluster.events, event.order_id, encode(event))
            for record, reason in poison:
                set_aside(self.publisher.produce, self.cluster.dead_letters, record, reason)
            self.publisher.flush()
        except KafkaException as error:
            log.warning("Refused, to come again", extra={"reason": str(error)})
            return
        offsets = [TopicPartition(*place, offset) for place, offset in self.read_to.items()]
        self.ask(lambda: self._client.commit(offsets=offsets, asynchronous=False), within=COMMITTING)


if __name__ == "__main__":
    main(inventory=NackIsSkip)
