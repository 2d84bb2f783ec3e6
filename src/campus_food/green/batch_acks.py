"""Correct: acknowledges several orders at once, when nothing more is waiting (`multiple`)."""

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.consumer import Delivery
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.rabbitmq.link import Link
from campus_food.store import Store


class Batches(Inventory):
    """Remembers the last delivery that was worked on."""

    def __init__(self, link: Link, store: Store) -> None:
        super().__init__(link, store)
        self._last: Delivery | None = None

    def connected(self) -> None:
        """Begin with nothing: of a lost link nothing is kept."""
        self._last = None
        super().connected()

    def handle(self, message: OrderPlaced, delivery: Delivery) -> None:
        """Work; settle later."""
        self.work(message)
        self._last = delivery

    def listen(self, seconds: float) -> None:
        """Take what the broker sends, then settle all that was worked on."""
        super().listen(seconds)
        last, self._last = self._last, None
        if last is not None:
            last.channel.basic_ack(last.tag, multiple=True)


if __name__ == "__main__":
    main(inventory=Batches)
