"""Breaks: nothing-lost.

The offset is stored when the record is handed over, before the work: what librdkafka's automatic commit does
with the record in hand (`enable.auto.offset.store`, librdkafka#1122). A crash during the work loses it.

The automatic commit runs on a timer: whether a kill finds it done is luck, and no trap can be tied to it.
Here the same offset is committed at the same place, as the record is handed over, and the answer is awaited.
To ask how many records wait, for its log, is a round trip before the work, so that a kill tied to the commit
strikes before it. What the timer does now and then happens every time.
"""

import logging
from typing import Any

from confluent_kafka import Message, TopicPartition

from campus_food.kafka.inventory import Inventory, main

log = logging.getLogger(__name__)

ANSWER = 5.0  # seconds


class AutoCommitEarly(Inventory):
    """Commits, then works."""

    def consumed(self, record: Message) -> None:
        """Do one record, in the wrong order."""
        self.commit(record)
        place: Any = (record.topic(), record.partition())
        _oldest, end = self._client.get_watermark_offsets(TopicPartition(*place), timeout=ANSWER)
        log.info("Record %s taken, %s at the end of the log", record.offset(), end)
        self.work(record)


if __name__ == "__main__":
    main(inventory=AutoCommitEarly)
