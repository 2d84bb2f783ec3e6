"""Breaks: nothing-lost.

The offset is stored when the record is handed over, before the work: what librdkafka's automatic commit does
with the record in hand (`enable.auto.offset.store`, librdkafka#1122). A crash during the work loses it.

The automatic commit runs on a timer: whether a kill finds it done is luck, and no trap can be tied to it.
Here the same offset is committed at the same place, as the record is handed over, and the answer is awaited.
To ask how many records wait, for its log, is a round trip before the work, so that a kill tied to the commit
strikes before it. What the timer does now and then happens every time.
"""

import logging
from collections.abc import Sequence

from confluent_kafka import Message, TopicPartition

from campus_food.kafka.consumer import positions
from campus_food.kafka.inventory import Inventory, main

log = logging.getLogger(__name__)

ANSWER = 5.0  # seconds


class AutoCommitEarly(Inventory):
    """Commits, then works."""

    def handle(self, records: Sequence[Message]) -> None:
        """Do a batch in the wrong order."""
        for place, offset in positions(records).items():
            self._client.commit(offsets=[TopicPartition(*place, offset)], asynchronous=False)
            _oldest, end = self._client.get_watermark_offsets(TopicPartition(*place), timeout=ANSWER)
            log.info("Up to record %s taken, %s at the end of the log", offset, end)
        super().handle(records)


if __name__ == "__main__":
    main(inventory=AutoCommitEarly)
