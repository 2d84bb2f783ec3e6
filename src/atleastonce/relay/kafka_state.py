"""What the relay remembers of one subject on Kafka: per link, and for all its links together."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from atleastonce.history import Event
from atleastonce.relay.codec import COPY_HEADER, Names
from atleastonce.relay.kafka_records import Batch, Record

Place = tuple[str, int]
"""A topic and a partition of it."""

LEAVES = -1
"""The epoch by which a member leaves for good (KIP-848); a static one that may come back says another one."""

_HEADER = COPY_HEADER.encode()


class Copy(NamedTuple):
    """A copy of ours in the log, at its place and offset; its name means something in its own case only."""

    case: str
    place: Place
    offset: int
    message: str | None
    copy: str | None


class Ledger:
    """The copies of ours that the subject fetched and has not covered by a committed offset.

    Groups are not told apart: a subject with two groups on one topic covers a copy with the first commit.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._fetched: dict[Place, dict[int, Copy]] = {}

    def fetch(self, place: Place, offset: int, message: str, copy: str | None) -> None:
        """Note a copy that went to the subject."""
        self.put_back([Copy(self._case, place, offset, message, copy)])

    def put_back(self, copies: Iterable[Copy]) -> None:
        """Note copies that a commit did not settle after all."""
        for copy in copies:
            self._fetched.setdefault(copy.place, {})[copy.offset] = copy

    def cover(self, place: Place, offset: int) -> list[Copy]:
        """Take out the copies below an offset, and return those of the case that runs now, oldest first."""
        fetched = self._fetched.get(place, {})
        return self.current([fetched.pop(each) for each in sorted(o for o in fetched if o < offset)])

    def current(self, copies: Iterable[Copy]) -> list[Copy]:
        """Return the copies of the case that runs now."""
        return [copy for copy in copies if copy.case == self._case]

    @property
    def _case(self) -> str:
        return self._names.copy_header("")


@dataclass(frozen=True)
class Member:
    """A member of a group, as the relay saw it join; one with an `instance` is static: its successor takes it over.

    In a group of the consumer protocol a static member has no `instance` here: while it lives, the broker lets nobody
    take it over (UNRELEASED_INSTANCE_ID, KIP-848), so that it leaves at its end as every other member does.
    """

    consumer_protocol: bool = False
    instance: str = ""


@dataclass
class Transaction:
    """An open transaction, and the copies that it covers once it commits."""

    producer: int
    epoch: int
    covers: list[Copy] = field(default_factory=list)


@dataclass
class Shared:
    """What all the links of one subject have in common."""

    names: Names
    topics: dict[UUID, str] = field(default_factory=dict)
    groups: dict[bytes, str] = field(default_factory=dict)
    """The group that each client has joined, by its client id: a process may have consumers in several."""
    members: dict[tuple[str, str], Member] = field(default_factory=dict)
    transactions: dict[str, Transaction] = field(default_factory=dict)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        """Begin with an empty ledger."""
        self.ledger = Ledger(self.names)

    def topic(self, entity: Any) -> str:
        """Return the topic that a part of a payload is about, by name or, in newer versions, by id.

        Raise LookupError for an id that no Metadata answer named.
        """
        name = getattr(entity, "name", None) or getattr(entity, "topic", None)
        if name is None and (name := self.topics.get(entity.topic_id)) is None:
            raise LookupError(f"topic id {entity.topic_id} was never named")
        return str(name)

    def transaction(self, name: str, producer: int, epoch: int) -> Transaction:
        """Return the transaction that is open under this id, opening it where none is."""
        known = self.transactions.setdefault(name, Transaction(producer, epoch))
        known.producer, known.epoch = producer, epoch
        return known

    def joined(self, group: str, name: str, member: Member) -> None:
        """Note a member of a group, in place of the one whose instance it is; one without a name yet is none."""
        if not name:
            return
        for at, known in [*self.members.items()]:
            if at[0] == group and member.instance and known.instance == member.instance:
                del self.members[at]
        self.members[group, name] = member

    def forsake(self, name: str) -> None:
        """Give back what a transaction covered that will never commit."""
        if (gone := self.transactions.pop(name, None)) is not None:
            self.ledger.put_back(gone.covers)

    def concerns(self, batch: Batch) -> bool:
        """Say whether anything of ours may lie in a batch: most batches of a busy service hold nothing."""
        at = batch.data, batch.start, batch.end
        return batch.data.find(_HEADER, *at[1:]) >= 0 or self.names.speaks(*at)

    def identify(self, record: Record, *, produced: bool) -> tuple[str | None, str | None]:
        """Return message and copy of a record: by our header, else by an id of ours in what it says."""
        names = self.names
        for name, content in record.headers:
            if name == _HEADER:
                message, copy = names.copy_again(content, record.value) if produced else names.copy(content)
                if message is not None:
                    return message, copy
        contents = (content for _, content in record.headers)
        parts = (record.value, record.key, *contents)
        return self.names.message(*(part for part in parts if part)), None


@dataclass
class Asked:
    """A request that is on its way, and what is needed of it to understand the answer."""

    api: int
    version: int
    patient: bool = False
    answered: bool = True
    group: str = ""
    transactional: str = ""
    instance: str = ""
    joins: bool = False
    commits: bool = False
    leaving: list[tuple[str, str]] = field(default_factory=list)
    produced: dict[Place, list[tuple[Event, int]]] = field(default_factory=dict)
    """What was written where, each event with the number of records that it stands for."""
    covered: dict[Place, tuple[int, list[Copy]]] = field(default_factory=dict)


@dataclass
class Link:
    """What is remembered of one connection."""

    shared: Shared
    consumed: set[str] = field(default_factory=set)
    positions: dict[Place, int] = field(default_factory=dict)
    client: bytes = b""
    """Its client id: each consumer of a process has connections of its own."""

    @property
    def group(self) -> str:
        """The group of who reads over this link; else the one that was joined last, as clients may share an id."""
        groups = self.shared.groups
        return groups.get(self.client) or next(reversed(groups.values()), "")

    def join(self, group: str) -> None:
        """Note the group that the client of this link is in."""
        self.shared.groups.pop(self.client, None)
        self.shared.groups[self.client] = group
