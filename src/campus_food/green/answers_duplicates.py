"""Correct: a duplicate is answered again, under the id of the first answer."""

import sqlalchemy as sa

from campus_food.messages import OrderPlaced
from campus_food.rabbitmq.inventory import Inventory, main
from campus_food.schema import OUTBOX
from campus_food.store import Store


class Answers(Store):
    """Can have an outcome published again."""

    def answer_again(self, order_id: str) -> None:
        """Take the outcome of an order for unpublished."""
        self.write_down()
        with self._engine.begin() as tx:
            tx.execute(sa.update(OUTBOX).where(OUTBOX.c.order_id == order_id).values(published=False))


class AnswersAgain(Inventory):
    """Never leaves a question unanswered."""

    store: Answers

    def duplicate(self, message: OrderPlaced) -> None:
        """Have the outcome published once more."""
        super().duplicate(message)
        self.retry(lambda: self.store.answer_again(message.order_id))


if __name__ == "__main__":
    main(inventory=AnswersAgain, store=Answers)
