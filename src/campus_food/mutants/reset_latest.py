"""Breaks: nothing-lost.

Where the group has no offset it begins with the newest record, and commits where it stands, as kafka-python does with
`auto_offset_reset="latest"` (kafka-python#612): what waited while the offset was lost is never seen.
"""

from collections.abc import Sequence
from typing import Any

from confluent_kafka import TopicPartition

from campus_food.kafka.inventory import Inventory, main

ANSWER = 5.0  # seconds


class ResetLatest(Inventory):
    """Begins at the end."""

    def assigned(self, client: Any, partitions: Sequence[TopicPartition]) -> None:
        """Take the end of each partition for its offset where there is none, and commit it."""
        for each in client.committed(list(partitions), timeout=ANSWER):
            if each.offset < 0:
                _oldest, each.offset = client.get_watermark_offsets(each, timeout=ANSWER)
                client.commit(offsets=[each], asynchronous=False)


if __name__ == "__main__":
    main(inventory=ResetLatest)
