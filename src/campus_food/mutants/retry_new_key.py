"""Breaks: effects-once.

Each attempt is a request of its own, under a key and an order id of its own: a reservation whose answer was lost is
made a second time. Seen in phpamqplib-messenger#43.
"""

import json
import uuid

from campus_food.rest.calls import Calls
from campus_food.rest.order import Order, Ordering, main
from campus_food.rest.peer import Peer, Reply


class NewKeys(Peer):
    """Cannot tell a repetition from a new wish."""

    def post(self, path: str, body: bytes, key: str, query: str = "") -> Reply:
        """Reserve under ids that nobody has seen; everything else goes as it is."""
        if path == "/reserve":
            key = str(uuid.uuid4())
            body = json.dumps({**json.loads(body), "order_id": key}).encode()
        return super().post(path, body, key, query)


class RetryNewKey(Order):
    """Asks the inventory so."""

    def __init__(self, ordering: Ordering, store: Calls) -> None:
        super().__init__(ordering, store)
        self.inventory = NewKeys(ordering.inventory, ordering.within)


if __name__ == "__main__":
    main(order=RetryNewKey)
