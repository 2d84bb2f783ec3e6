"""The worker of a service that only answers requests: there is nothing to do beside them."""

from campus_food.database import TRANSIENT
from campus_food.rest.seen import Seeing
from campus_food.worker import Worker


class Serving(Worker):
    """Waits for the end, and tells whether the database can be written to."""

    outages = ()
    transient = TRANSIENT

    def __init__(self, permitted: bool, store: Seeing) -> None:
        super().__init__()
        self.permitted = permitted
        self._database = store

    def session(self) -> None:
        """Wait until the service is to stop."""
        self.problem = None
        self.stopping.wait()

    def pause(self, seconds: float) -> None:
        """Wait, unless the service is to stop."""
        self.stopping.wait(seconds)

    def health(self) -> str | None:
        """Tell why no request can be worked on at present."""
        return self.problem or self._database.health()
