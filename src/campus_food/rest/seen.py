"""How often requests under each idempotency key reached a service: what fails N times counts by it."""

from typing import ClassVar

import sqlalchemy as sa

from campus_food.database import Database
from campus_food.schema import SEEN

_COUNT = sa.text(
    "INSERT INTO seen (service, key, times) VALUES (:service, :key, 1)"
    " ON CONFLICT (service, key) DO UPDATE SET times = seen.times + 1 RETURNING times"
)


class Seeing(Database):
    """The database of a service that counts what reaches it; the count survives a crash."""

    SERVICE: ClassVar[str]

    def see(self, key: str) -> int:
        """Count one more request; return which it is. Raises one of `TRANSIENT`, with nothing counted."""
        with self._engine.begin() as tx:
            return self.count(tx, key)

    def seen(self, key: str) -> int:
        """Return how many requests there were."""
        wanted = sa.select(SEEN.c.times).where(SEEN.c.service == self.SERVICE, SEEN.c.key == key)
        with self._engine.connect() as tx:
            return int(tx.execute(wanted).scalar() or 0)

    def count(self, tx: sa.Connection, key: str) -> int:
        """Count in a transaction that has more to do; as its first statement it takes the write lock."""
        return int(tx.execute(_COUNT, {"service": self.SERVICE, "key": key}).scalar_one())
