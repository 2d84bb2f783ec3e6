"""How a case stands: what came out, what is settled, and whether something goes round in circles."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from math import inf
from typing import Any

from atleastonce.casting import dead_letters, outputs
from atleastonce.history import Event, Observation, Output
from atleastonce.lane import Lane
from atleastonce.ledger import Ledger
from atleastonce.progress import Progress
from atleastonce.promises import PoisonSetAside
from atleastonce.readership import gone_with_links
from atleastonce.schedule import SENTINEL, Schedule
from atleastonce.transports import Subscription

_ATTEMPTS = 20
"""How often a poison may be tried where the contract promises nothing: the usual delivery limit."""
_INNOCENT = 100
"""How often any other copy may be delivered, where nothing disturbs the service, before the case is given up."""
_EXITS = 5
"""How often services may end by themselves, and settle nothing in between, in a case without poison."""

_ON_ITS_WAY = 1.0
"""Seconds for which all queues are empty before a copy that was set aside, and came nowhere, is taken to be gone; or
one that a service had not acknowledged, or need not, where its link took that with it."""
_IDLE = 0.5
"""Seconds without an event before the broker is asked what a group has committed."""


class Looped(Exception):  # noqa: N818 - a finding about the service, not a failure of ours
    """Something goes round in circles; the message says what, `copy` or `service` what it is about."""

    def __init__(self, what: str, *, copy: str = "", service: str = "") -> None:
        super().__init__(what)
        self.copy = copy
        self.service = service


def sentinels(found: Iterable[Output]) -> int:
    """Return how many outputs of the sentinel there are: what was sent again under its id is the same one."""
    ids = [output.id for output in found if output.message == SENTINEL]
    return len({*ids} - {None}) + ids.count(None)


class Standing:
    """Reads the record and the broker for one case; nothing here acts on the services."""

    def __init__(self, lane: Lane, schedule: Schedule, settles: float = 0.0) -> None:
        self.lane = lane
        self._progress = Progress(lane, settles) if lane.contract.progress.by == "observe" else None
        self.ends = tuple(end for end in lane.namespace.ends() if end not in lane.names.taps)
        self.between = (
            tuple(sorted({s.queue for s in lane.readership.subscriptions})) if len(lane.parts) > 1 else ()
        )
        self.ledger = Ledger(self.ends, self.between)
        self._outputs: list[Output] = []
        self._dead_letters: list[Output] = []
        self._read = 0
        self._passed_on: list[Event] = []
        self._depths: Counter[str] = Counter()
        self._exits = 0
        self._settled_before = 0
        self._places: dict[str, tuple[int, int]] = {}
        self._asked = 0.0
        self._empty_since = inf
        self._gone_since = inf
        promised = lane.contract.promised.get("poison-set-aside")
        attempts = promised.attempts if isinstance(promised, PoisonSetAside) else _ATTEMPTS
        disturbances = len(schedule.traps) + sum(action.verb != "publish" for action in schedule.actions)
        self._poisons = schedule.poisons
        poisoned = sum(action.target in self._poisons for action in schedule.actions)
        # A broker's delivery limit of L delivers L + 1 times, and each failure may give the neighbours back,
        # too. One more shows that it does not end there.
        self._exit_limit = (attempts + 1) * poisoned + disturbances + 1 if poisoned else _EXITS
        # Whatever interrupts it may make two of what is tried by copies, or have it forget how often that was.
        self._poison_limit = (attempts + 1) * (poisoned + disturbances) + disturbances + 1
        # Behind a fault it may give back what it gets until it has reached again what it lost, hundreds of times a
        # second: how long that may take is a deadline's business.
        self._innocent_limit = inf if disturbances else _INNOCENT

    # -- reading

    def read(self) -> None:
        """Take what is new in the record."""
        fresh = self.lane.record.since(self._read)
        self._read += len(fresh)
        self.ledger.feed(fresh)
        if self._progress is not None:
            self._progress.feed(fresh)
        self._places |= {e.copy: (e.partition, e.offset) for e in fresh if e.copy and _is_placed(e)}
        passed_on = (event for event in fresh if event.event == "publish" and event.copy)
        self._passed_on += (event for event in passed_on if event.queue and "/" not in event.queue)

    def wait(self, within: float) -> None:
        """Wait for something new in the record, at the most `within` seconds."""
        self.lane.record.wait(self._read, within)
        self.read()

    def collect(self) -> None:
        """Take what has come out, and note copies of ours among it: nothing more will become of them."""
        letters, dead = self.lane.outputs(), self.lane.namespace.dead_letters()
        self._outputs += outputs(self.lane.cast, letters)
        self._dead_letters += dead_letters(self.lane.cast, dead)
        for letter in (*letters, *dead):
            self.lane.check_in_time(letter)
            copy = self.lane.cast.copy_again(letter)[1]
            if copy is not None:
                self.lane.note("arrived", copy=copy, queue=letter.queue)

    def look(self) -> Observation:
        """Observe what can be seen now, with everything that came out."""
        self.collect()
        return self.lane.observe("faulty", self._outputs, self._dead_letters)

    # -- questions

    def handed_over(self, moment: float) -> bool:
        """Tell whether every copy was handed to a service, and nothing has passed for a moment since, in seconds."""
        self.read()
        record, delivered = self.lane.record, self.ledger.delivered
        sent = (each.copy for each in record.events() if each.event == "published" and each.ok)
        return record.idle() > moment and all(delivered[str(copy)] for copy in sent)

    def settled(self) -> bool:
        """Tell whether every confirmed copy was settled by something that passed, and nothing waits."""
        self.read()
        if self.ledger.passed_on or self.ledger.given_back or self.ledger.on_its_way:
            self.collect()
            self.read()
        if self._progress is not None and (unsettled := self.ledger.unsettled()):
            self._progress.settle(unsettled)
            self.read()
        if self.ledger.doubtful:
            self._note_committed()
        if self.ledger.unsettled():
            self._note_vanished()
            self._note_gone()
            self._note_passed_over()
            return False
        if self.ledger.unconfirmed:
            return False
        if self._depth(self.lane.readership.subscriptions):
            self._note_passed_over()
            self._empty_since = inf
            return False
        self._empty_since = min(self._empty_since, self.lane.record.clock())
        return self._met()

    def _met(self) -> bool:
        """Tell whether what was set aside, or handed to an exchange, has come somewhere, or nowhere.

        Between two queues, as behind a delay, a message is in neither for a moment.
        """
        since = max((self._empty_since, *self.ledger.on_its_way.values()))
        return not self.ledger.on_its_way or self.lane.record.clock() - since >= _ON_ITS_WAY

    def _depth(self, subscriptions: Collection[Subscription]) -> int:
        if self._progress is not None:
            return sum(self._progress.depth(queue) for queue in {each.queue for each in subscriptions})
        return self.lane.namespace.depth(subscriptions)

    def _note_committed(self) -> None:
        """Note the copies whose commit got no answer, since its link died: where nothing waits, it was done."""
        if not self.lane.namespace.depth(self.lane.readership.subscriptions):
            for copy in self.ledger.doubtful:
                self.lane.note("committed", copy=copy)
            self.read()

    def _note_vanished(self) -> None:
        """Note the copies of ours that were passed on to a queue that there is not: the broker drops these."""
        asked, self._passed_on = self._passed_on, []
        for event in asked:
            if not self.lane.namespace.exists(event.queue):
                note = "there is no such queue"
                self.lane.note("return", copy=event.copy or "", queue=event.queue, note=note)

    def _note_gone(self) -> None:
        """Note the copies that were gone with a link: nobody has them, and no queue that the services read."""
        readership, record = self.lane.readership, self.lane.record
        if not readership.volatile:
            return
        gone = gone_with_links(record.events()) & {*self.ledger.in_nobodys_hand}
        if not gone or self._depth(readership.subscriptions):
            self._gone_since = inf
            return
        self._gone_since = min(self._gone_since, record.clock())
        if record.clock() - self._gone_since >= _ON_ITS_WAY:
            for copy in sorted(gone):
                self.lane.note(
                    "passed-over",
                    copy=copy,
                    settles=True,
                    note="with the link: it need not be acknowledged, or its queue ends with its consumers",
                )
            self.read()

    def _note_passed_over(self) -> None:
        """Note the copies before an offset that their group has committed, or reads on from: it gets these no more.

        A commit that passes the relay settles what was fetched before it; a service that begins behind a record never
        fetched it, and may have nothing to commit in that partition. Asked now and then where nothing passes, so that
        the answer to a commit is recorded first.
        """
        record = self.lane.record
        if not self._places or record.idle() < _IDLE or record.clock() - self._asked < _IDLE:
            return
        self._asked = record.clock()
        reached = self.lane.namespace.reached(self.lane.readership.subscriptions)
        reading, unsettled = self._reading(), {*self.ledger.unsettled()}
        for copy, (partition, offset) in self._places.items():
            place: dict[str, Any] = {"copy": copy, "partition": partition, "offset": offset}
            if partition in reached:
                if copy in unsettled and offset < reached[partition] and not self.ledger.is_passed_on(copy):
                    self.lane.note("passed-over", **place, settles=True)
            elif offset < reading.get(partition, 0) and not (
                copy in unsettled and self.ledger.delivered[copy]
            ):
                self.lane.namespace.skip(partition, offset)
                if copy in unsettled:
                    self.lane.note("passed-over", **place, settles=True, note="it is read on behind it")

    def _reading(self) -> dict[int, int]:
        """Return from where on the only reader of the input reads in its present life; nothing if that is unknown."""
        topic = self.lane.input_topic
        return self.lane.names.turns.reading(topic) if self.lane.readership.is_read_alone(topic) else {}

    def shown(self, wanted: int) -> bool:
        """Tell whether so many outputs of the sentinel have come out; set aside, it will have none."""
        self.collect()
        if any(letter.message == SENTINEL for letter in self._dead_letters):
            return True
        return sentinels(self._outputs) >= wanted

    def why_not_quiet(self, within: float, wanted: int) -> str:
        """Say what quiet still waits for."""
        if down := [part for part in self.lane.parts if not part.subject.alive]:
            return down[0].subject.describe_exit()
        after = f"after {within:.3g} s"
        if unsettled := self.ledger.unsettled():
            times = self.ledger.delivered
            waits = (
                f"{each} (delivered {n} times)" if (n := times[each]) > 1 else each for each in unsettled
            )
            why = f"{self._uncommitted()}{self._behind(unsettled)}{self._refused()}"
            return f"{after}, not settled: {', '.join(waits)}{why}"
        if self.ledger.unconfirmed:
            return f"{after}, {self.ledger.unconfirmed} publications were not confirmed"
        depth = self._depth(self.lane.readership.subscriptions)
        shown = self.shown(wanted)
        if shown and not depth:
            return f"{after} it was not, and is just now: it came behind that deadline"
        back = self._taken_back() if depth else ""
        return f"{after}, {depth} messages wait and the sentinel's effect is {'' if shown else 'not '}shown{back}"

    def _uncommitted(self) -> str:
        """Say it where a service on Kafka has committed nothing: then nothing can be settled."""
        kafka, commits = self.lane.contract.broker.kind == "kafka", {"commit", "end-txn"}
        if (
            not kafka
            or self._progress is not None
            or any(event.event in commits for event in self.lane.record.since(0))
        ):
            return ""
        return "; no offset was committed, which is what settles a record (progress.by)"

    def _behind(self, unsettled: Sequence[str]) -> str:
        """Say it where no more than a record's own offset was committed: who means it by that is off by one."""
        commits = (event for event in self.lane.record.since(0) if event.event == "commit")
        last = {event.partition: event.offset for event in commits}
        for copy in reversed(unsettled):
            partition, offset = self._places.get(copy, (-1, -1))
            if last.get(partition) == offset >= 0:
                own = f"the last commit in partition {partition} is offset {offset}, that of {copy} itself"
                return f"; {own}: a record is done with once the offset behind it is committed"
        return ""

    def _taken_back(self) -> str:
        """Say it where a group committed an offset below one that it had committed before: the broker takes it."""
        reached: dict[tuple[str, str, int], int] = {}
        for event in self.lane.record.since(0):
            place = (event.group, event.queue, event.partition)
            if event.event == "commit" and event.offset < reached.get(place, 0):
                where = f"partition {event.partition} of {event.queue}"
                return f"; in {where}, offset {event.offset} was committed behind offset {reached[place]}"
            if event.event == "commit":
                reached[place] = event.offset
        return ""

    def _refused(self) -> str:
        """Say it where the broker closed a channel of the subject, for what it had done."""
        events = self.lane.record.since(0)
        said = [
            event.note
            for event in events
            if event.event == "closed" and event.side == "broker" and event.note
        ]
        return f"; the broker closed a channel: {said[-1]}" if said else ""

    # -- what is noted on the way

    def note_depths(self) -> None:
        """Note how many messages wait in each queue that is consumed, where that has changed."""
        self.read()
        for subscription in sorted(self.lane.readership.subscriptions):
            depth = self._depth({subscription})
            if depth != self._depths[subscription.queue]:
                self._depths[subscription.queue] = depth
                self.lane.note("depth", queue=subscription.queue, size=depth)

    def note_exit(self, name: str) -> None:
        """Count a service that ended by itself; raise Looped where it does so again and again, and gets nowhere.

        Some workers end after so many messages, and begin anew: that is no loop.
        """
        self.read()
        self._exits += self.ledger.settlements == self._settled_before
        self._settled_before = self.ledger.settlements
        if self._exits > self._exit_limit:
            raise Looped(
                f"{name} ended by itself {self._exits} times, and settled nothing in between", service=name
            )

    def check_loops(self) -> None:
        """Raise Looped where a copy is delivered over and over; our own requests are no deliveries."""
        least = min(self._poison_limit, self._innocent_limit)
        if self.lane.contract.input.http or self.ledger.most_delivered <= least:
            return
        for copy, times in self.ledger.delivered.items():
            poison = copy.partition("#")[0] in self._poisons
            limit = self._poison_limit if poison else self._innocent_limit
            if times > limit and times > limit * self.ledger.ways_in(copy):
                raise Looped(f"{copy} was delivered {times} times", copy=copy)


def _is_placed(event: Event) -> bool:
    return event.event == "published" and event.offset >= 0
