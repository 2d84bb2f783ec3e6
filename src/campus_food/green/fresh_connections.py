"""Asks the other services over a connection of its own each time, and keeps none."""

from campus_food.rest.calls import Calls
from campus_food.rest.order import Order, Ordering, main
from campus_food.rest.peer import Peer, Reply


class Fresh(Peer):
    """Connects for every request."""

    def __init__(self, url: str, within: float) -> None:
        super().__init__(url, within)
        self.within = within

    def post(self, path: str, body: bytes, key: str, query: str = "") -> Reply:
        """Send a request as somebody who never asked before."""
        return Peer(self.url, self.within).post(path, body, key, query)


class FreshConnections(Order):
    """Asks both services so."""

    def __init__(self, ordering: Ordering, store: Calls) -> None:
        super().__init__(ordering, store)
        self.inventory = Fresh(ordering.inventory, ordering.within)
        self.notification = Fresh(ordering.notification, ordering.within)


if __name__ == "__main__":
    main(order=FreshConnections)
