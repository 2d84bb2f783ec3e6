"""Breaks: nothing-lost.

Commits to the database, then publishes, and nothing joins the two: what a crash in between left unpublished
stays so. The order comes again, is recognised, and its outcome is never told. Seen in django-jaiminho#216.
"""

from campus_food.rabbitmq.inventory import Inventory, main


class DualWrite(Inventory):
    """Publishes what it has just committed, and nothing else."""

    def connected(self) -> None:
        """Begin without a past: what was under way when the last session ended is forgotten."""
        left = [event.message_id for event in self.store.unpublished()]
        self.retry(lambda: self.store.mark_published(left))


if __name__ == "__main__":
    main(inventory=DualWrite)
