"""Which schedules are tried, and how a failing one is made shorter."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import msgspec
import pytest

from atleastonce.contract import (
    BrokerKind,
    BrokerTable,
    Contract,
    Input,
    Observe,
    Poison,
    Replay,
    Service,
    Topic,
)
from atleastonce.exploration import EXPLORERS
from atleastonce.exploration.crash_points import crash_points, crashes, in_both
from atleastonce.exploration.crowd import crowd
from atleastonce.exploration.duplicates import duplicates
from atleastonce.exploration.kafka import kafka
from atleastonce.exploration.order import order
from atleastonce.exploration.outages import backlog, outages
from atleastonce.exploration.poison import poison, set_aside
from atleastonce.exploration.shrinking import shrink, without_one_step
from atleastonce.history import History
from atleastonce.schedule import Action, Message, Schedule, Trap, publish
from histories import history, seen

SHOP = Service(command="run")
SEEDS = [f"env:PYTHONHASHSEED={seed}" for seed in range(1, 5)]
"""A set of three is in the same order under two seeds once in a while."""
OPTIONS = {"backs-off": {"attempts": 1, "schedule": []}}


def contract(
    *promises: str,
    http: str = "",
    poison: tuple[str, ...] = (),
    services: str = "shop",
    broker: BrokerKind = "rabbitmq",
) -> Contract:
    """Return a contract of these services (``shop mail``) that makes these promises."""
    return Contract(
        broker=BrokerTable(kind=broker),
        input=Input(
            queue="in" if broker == "rabbitmq" and not http else "",
            topic="in" if broker == "kafka" and not http else "",
            http=http,
            message="whole",
        ),
        services=dict.fromkeys(services.split(), SHOP),
        poison=tuple(Poison(name=name) for name in poison),
        promises={name: OPTIONS.get(name, True) for name in promises},
    )


def calm(happened: str, expires: int | None = None) -> History:
    """Return the history of a calm run."""
    lives: dict[str, Any] = {} if expires is None else {"expires": {"in": expires}}
    return history(happened, seen(), seen(), **lives)


def told(schedules: Iterable[Schedule]) -> list[str]:
    """Return schedules in words."""
    return [schedule.describe() for schedule in schedules]


def test_what_passes_by_chance_is_no_crash_point() -> None:
    """Only what passes as often when the same messages come once more is sure to be there again."""
    once = "start; published m1#1; consume; deliver m1#1; publish m1 >out; ack m1#1; quiet"
    twice = calm(once.replace("ack", "publish m1 >out; ack"))
    shop = contract("nothing-lost")
    assert told(crash_points(in_both(twice, calm(once), shop), shop)) == told(crash_points(calm(once), shop))
    assert in_both(twice, twice, shop) == twice


def test_crash_points_stand_before_and_after_every_event() -> None:
    """Each event of a message is a crash point twice; ours and the sentinel's are none."""
    happened = calm(
        "start; published m1#1; consume; deliver m1#1; publish m1 >out; confirm m1; deliver m1#1 again; "
        "ack m1#1; deliver sentinel#1; ack sentinel#1; quiet",
    )
    assert told(crash_points(happened, contract())) == [
        f"publish m1; start ; kill {when} {event}"
        for event in ("deliver(m1)", "publish(m1)", "confirm(m1)", "deliver(m1, time 2)", "ack(m1)")
        for when in ("before", "after")
    ]


def test_crash_points_stand_at_the_end_of_a_transaction_and_its_answer() -> None:
    """Whether the broker has committed, and whether the service knows, are two things; services have no part in it."""
    happened = calm(
        "published m1#1; fetch m1#1 *shop; commit m1#1 *shop; response m1#1 *shop; end-txn m1#1 *shop; "
        "response m1#1 *shop; request m1 *shop ^mail; response m1 *shop ^mail; quiet"
    )
    assert [each.traps[0].describe() for each in crash_points(happened, contract(broker="kafka"))] == [
        f"kill {when} {event}"
        for event in ("fetch(m1)", "commit(m1)", "response(m1)", "end-txn(m1)", "response(m1, time 2)")
        for when in ("before", "after")
    ]


def test_crash_points_publish_all_messages_and_carry_another_fault() -> None:
    """The other messages of the calm run are there too; a service whose link is cut need not be started."""
    happened = calm("published m1#1; published m2#1; ack m2#1; quiet")
    first, second = crash_points(happened, contract(), fault="cut")
    assert first.describe() == "publish m1; publish m2; cut before ack(m2)"
    assert (first.messages, second.messages) == (happened.header.schedule.messages,) * 2


def test_crash_points_belong_to_the_service_not_to_its_instance() -> None:
    """Which instance a message goes to differs from run to run; times are counted over all of them."""
    happened = calm("published m1#1; deliver m1#1 *shop-2; deliver m1#1 *shop-1; ack m1#1 *mail-1")
    found = [*crash_points(happened, contract(services="shop mail"))][::2]
    assert [each.traps for each in found] == [
        (Trap(when="before", event=event, message="m1", nth=nth, service=service, do="kill"),)
        for event, nth, service in (("deliver", 1, "shop"), ("deliver", 2, "shop"), ("ack", 1, "mail"))
    ]
    assert [each.actions[-1] for each in found] == [Action(start=name) for name in ("shop", "shop", "mail")]


def test_crashes_end_a_service_in_order_while_it_is_at_work() -> None:
    """Every crash point, and SIGTERM behind each time that a message was handed over."""
    happened = calm("published m1#1; deliver m1#1 *shop; ack m1#1 *shop; fetch m1#1 *shop")
    points = told(crash_points(happened, contract()))
    assert told(crashes(happened, contract())) == [
        *points,
        "publish m1; start shop; stop after deliver(m1)",
        "publish m1; start shop; stop after fetch(m1)",
    ]


def test_a_service_is_killed_in_the_midst_of_its_longest_work() -> None:
    """Three times, where that took 20 ms or more; what the broker takes is no work of the service."""
    happened = calm(
        "published m1#1; deliver m1#1 *shop; ack m1#1 *shop +0.019; published m2#1; deliver m2#1 *shop +1; "
        "publish m2 >out *shop +0.04; confirm m2 *shop +0.5; ack m2#1 *shop"
    )
    late = [text for text in told(crashes(happened, contract())) if "ms after" in text]
    assert late == [
        f"publish m1; publish m2; start shop; kill {later} after deliver(m2)"
        for later in ("10ms", "20ms", "30ms")
    ]


def test_duplicates_come_at_once_late_and_all_together() -> None:
    """Every message twice in a row, every one again behind the others, everything twice, also later; no order twice."""
    found = duplicates(calm("published a#1; published b#1; published c#1"), contract())
    assert ["".join(action.target for action in each.actions) for each in found] == [
        "aabc", "abbc", "abcc", "abca", "abcb", "abcabc", "abc6sabc",
    ]  # fmt: skip


def test_duplicates_of_one_message() -> None:
    """A single message has one duplicate only, at once and later."""
    assert told(duplicates(calm("published a#1"), contract())) == [
        "publish a; publish a",
        "publish a; wait 6s; publish a",
    ]


@pytest.mark.parametrize(("pace", "tried"), [(0.03, True), (0.04, False), (None, False)])
def test_first_messages_come_again_behind_a_crowd(pace: float | None, tried: bool) -> None:
    """Where the clean runs of so many do not take long: 48 messages, in 1.5 s; not where nobody can tell."""
    settled = "" if pace is None else f"; ack m2#1 +{2 * pace}"
    happened = calm(f"quiet; published m1#1 +1; published m2#1{settled}")
    found = [each for each in duplicates(happened, contract()) if len(each.messages) > 2]
    names = [f"m{n}" for n in range(1, 49)]
    assert [[action.target for action in each.actions] for each in found] == [[*names, "m1", "m2"]] * tried
    each_by_a_process = msgspec.structs.replace(contract(), observe=Observe(command="show {id}"))
    assert all(len(each.messages) == 2 for each in duplicates(happened, each_by_a_process))


def test_order_is_tried_where_it_is_promised() -> None:
    """Twelve messages close behind each other, of the calm run's kinds in turn, and nothing else."""
    happened = calm("published m1#1; published m2#1")
    assert told(order(happened, contract("nothing-lost"))) == []
    (found,) = order(happened, contract("keeps-order"))
    assert found.describe() == "; ".join(f"publish m{n}" for n in range(1, 13))
    assert [message.id for message in found.messages.values()] == [f"o{n}" for n in range(1, 13)]


def test_poison_lies_between_innocents() -> None:
    """Each kind alone, each with a crash while it is handled, then all kinds in one run."""
    happened = calm("published m1#1; published m2#1")
    found = [*poison(happened, contract("poison-set-aside", poison=("a", "b")))]
    assert told(found) == [
        "publish m1; publish p1; publish m2",
        "publish m1; publish p2; publish m2",
        "publish m1; publish p1; publish m2; start shop; kill after deliver(p1)",
        "publish m1; publish p2; publish m2; start shop; kill after deliver(p2)",
        "publish m1; publish p1; publish p2; publish m2",
    ]
    assert found[1].messages == {**happened.header.schedule.messages, "p2": Message(id="b", poison=1)}


def test_poison_is_fetched_on_kafka() -> None:
    """There, nothing is delivered: the crash strikes behind the fetch."""
    given = contract("poison-set-aside", poison=("a",), broker="kafka")
    assert told(poison(calm("published m1#1"), given)) == [
        "publish m1; publish p1",
        "publish m1; publish p1; start shop; kill after fetch(p1)",
    ]


@pytest.mark.parametrize(
    ("promises", "http", "kinds"),
    [
        (("poison-set-aside",), "", 2),
        (("backs-off",), "", 2),
        (("nothing-lost",), "", 0),
        (("poison-set-aside",), "POST http://h/", 0),
    ],
)
def test_poison_is_tried_where_it_is_promised_and_can_be_sent(
    promises: tuple[str, ...], http: str, kinds: int
) -> None:
    """Of what is no JSON one kind is made: alone, and with a crash; over HTTP it has its answer at once."""
    given = contract(*promises, http=http)
    assert len([*poison(calm("published m1#1"), given)]) == kinds


def test_one_kind_of_poison_is_not_tried_together_with_itself() -> None:
    """The run of all kinds would be that of the only one."""
    given = contract("poison-set-aside", poison=("a",))
    assert told(poison(calm("published m1#1"), given)) == [
        "publish m1; publish p1",
        "publish m1; publish p1; start shop; kill after deliver(p1)",
    ]


def test_a_poison_is_crashed_at_each_step_by_which_it_is_set_aside() -> None:
    """Once for kinds that take the same steps, at the first of each; not where anything else disturbs."""
    given = contract("poison-set-aside", poison=("a", "b", "c"))
    first, second, third, crashed, *_ = poison(calm("published m1#1"), given)

    def passed(schedule: Schedule, happened: str) -> History:
        was = calm(f"published m1#1; deliver m1#1; ack m1#1; {happened}")
        return msgspec.structs.replace(was, header=msgspec.structs.replace(was.header, schedule=schedule))

    rejected = "deliver p1#1 *shop; nack p1#1 *shop; deliver p1#1 *shop; nack p1#1 *shop; reject p1#1 *shop"
    tried = [
        passed(first, rejected),
        passed(second, "deliver p2#1 *shop; publish p2 >dead *shop; ack p2#1 *shop"),
        passed(third, rejected.replace("p1", "p3")),
        passed(crashed, "deliver p1#1 *shop; ack p1#1 *shop"),
        passed(second, "deliver p2#1 *shop; ack p2#1 *shop; quiet! it does not get over it"),
    ]
    begin, starts = "publish m1; publish", "start shop; kill"
    assert told(set_aside(tried, given)) == [
        f"{begin} {name}; {starts} {when} {event}({name})"
        for name, events in (("p1", ("nack", "reject")), ("p2", ("publish", "ack")))
        for event in events
        for when in ("before", "after")
    ]


CUTS = ["publish m1; cut before ack(m1)", "publish m1; cut after ack(m1)"]
CUT = "publish m1; cut shop; publish m2"
ISOLATED = "publish m1; isolate shop; publish m2; mend shop; publish m3"


@pytest.mark.parametrize(
    ("promise", "outages_tried"),
    [
        (
            "keeps-order",
            ["stop shop; publish m1 … m24 (24 messages); start shop; publish m25 … m48 (24 messages)"],
        ),
        ("nothing-lost", [ISOLATED, CUT, *CUTS]),
        ("effects-once", [CUT, *CUTS]),
        ("tells-health", [ISOLATED]),
        ("accepts-honestly", CUTS),
        (
            "recovers",
            [ISOLATED, CUT, "publish m1; restart broker; publish m2", *CUTS],
        ),
    ],
)
def test_outages_are_those_that_a_promise_is_about(promise: str, outages_tried: list[str]) -> None:
    """A message before, between and behind; links of any instance are those of its service."""
    found = outages(calm("published m1#1; ack m1#1 *shop-1"), contract(promise))
    assert told(found) == outages_tried


def test_outages_take_all_messages_of_the_calm_run() -> None:
    """With fewer of them they would need clean runs of their own."""
    found = told(outages(calm("published m1#1; published m2#1; published m3#1"), contract("recovers")))
    assert found[1:3] == [
        "publish m1; cut shop; publish m2; publish m3",
        "publish m1; restart broker; publish m2; publish m3",
    ]


def test_backlog_is_that_of_every_service_that_consumes() -> None:
    """Who is asked over HTTP is never down: nobody could be told that it accepted anything."""
    chain: dict[str, Any] = {"services": "shop mail"}
    found = [
        [
            schedule.actions[0]
            for schedule in outages(calm("published m1#1"), contract("backlog-drains", **each))
        ]
        for each in (chain, {**chain, "http": "POST http://h/"})
    ]
    assert found == [[Action(stop="shop"), Action(stop="mail")], [Action(stop="mail")]]


def test_queue_is_deleted_where_a_service_answers_for_what_it_accepts() -> None:
    """One that it publishes to, by name or by an exchange of its own, once; none that the next service consumes."""
    happened = history(
        "published m1#1; publish m1 >log *shop; publish m1 >log *shop; publish m1 >audit/all *shop; "
        "publish m1 >bus/a.b *shop; publish m1 >bus/a/c *shop; publish m1 >mails/x *shop; "
        "publish m1 >mail *shop; publish m1 >out *mail",
        seen(),
        seen(),
        between=["mail"],
        only_queues={"bus": "events", "mails": "mail"},
    )
    found = outages(happened, contract("accepts-honestly", http="POST http://h/", services="shop mail"))
    assert [text for text in told(found) if "route" in text] == [
        "publish m1; unroute log; publish m2; reroute log; publish m3",
        "publish m1; unroute events; publish m2; reroute events; publish m3",
    ]


@pytest.mark.parametrize(
    ("expires", "waits"), [(None, []), (500, ["wait 1.000s"]), (60_000, ["wait 15.000s"])]
)
def test_backlog_waits_while_the_service_is_down(expires: int | None, waits: list[str]) -> None:
    """24 messages wait, longer than any may live in its queue (but not for ever); as many fresh ones come."""
    found = backlog(calm("published m1#1; published m2#1", expires), "shop")
    old, fresh = ([f"publish m{n}" for n in numbers] for numbers in (range(1, 25), range(25, 49)))
    assert [each.describe() for each in found.actions] == ["stop shop", *old, *waits, "start shop", *fresh]
    assert [message.id for message in found.messages.values()] == [f"o{n}" for n in range(1, 49)]


@pytest.mark.parametrize(("count", "bodies"), [(2, "ab"), (3, "aba"), (7, "abaabaa")])
def test_crowd_begins_with_the_messages_of_the_calm_run(count: int, bodies: str) -> None:
    """The message of a name has one body in every schedule of a run; more are of the kinds there are, in turn."""
    given = Schedule(messages={f"m{n}": Message(body=kind) for n, kind in enumerate("aba", start=1)})
    found = crowd(given, count)
    assert {name: message.body for name, message in found.items()} == {
        f"m{n}": body for n, body in enumerate(bodies, start=1)
    }


def test_nothing_is_done_to_a_log_that_nobody_reads() -> None:
    """Where the input comes over HTTP, Kafka is where outputs go."""
    given, happened = contract(broker="kafka", http="POST http://h/"), "published m1#1; quiet"
    assert [*EXPLORERS["kafka"](calm(happened), given)] == []


@pytest.mark.parametrize("name", EXPLORERS)
def test_explorations_define_what_they_publish(name: str) -> None:
    """Each schedule is of the same contract and seed, and could be read from its file."""
    given = contract(
        *("keeps-order", "poison-set-aside", "backlog-drains", "recovers", "replays-identically"),
        broker="kafka" if name == "kafka" else "rabbitmq",
    )
    given = msgspec.structs.replace(given, replay=Replay(report="http://127.0.0.1:{port}/report"))
    happened = "published m1#1; deliver m1#1 *shop; request m1 *shop ^mail"
    found = [*islice(EXPLORERS[name](calm(happened), given), 100)]  # random ones have no end
    assert found
    for each in found:
        assert {*each.published, *(trap.about for trap in each.traps)} <= {*each.messages}


def test_a_log_is_read_again_in_every_way_that_may_not_matter() -> None:
    """The same events each time, a third of them twice, with other times and amounts; partitions need several."""
    entry = Input(topic="orders", key="{id}", message="whole")
    kafka = msgspec.structs.replace(contract("replays-identically", broker="kafka"), input=entry)
    given = calm("published m1#1; quiet")
    whole = Message(id="o1", body='{"at": "2026-02-17T14:33:00Z", "amount": 0.5, "items": 2}')
    given = msgspec.structs.replace(
        given, header=msgspec.structs.replace(given.header, schedule=Schedule(messages={"m1": whole}))
    )
    report = Replay(report="http://127.0.0.1:{port}/report", vary=("TZ", "PYTHONHASHSEED"))
    fewer = msgspec.structs.replace(report, vary=(), without=("clock", "partitions"))
    one, four, left = (
        [
            *EXPLORERS["replay"](
                given,
                msgspec.structs.replace(kafka, replay=which, topics={"orders": Topic(partitions=number)}),
            )
        ]
        for which, number in ((report, 1), (report, 4), (fewer, 4))
    )
    assert [each.replays for each in one] == ["again", "clock", "batches", "env:TZ", *SEEDS]
    assert [each.replays for each in four] == ["again", "clock", "partitions", "batches", "env:TZ", *SEEDS]
    assert [each.replays for each in left] == ["again", "batches"]
    assert {len(each.published) for each in four} == {12}
    assert {len(each.actions) for each in four} == {12 + 4 + 1}
    bodies = {message.body for message in four[0].messages.values()}
    assert len(bodies) == 12
    assert '{"at": "2026-02-17T14:33:41Z", "amount": 1.51, "items": 2}' in bodies


def test_group_and_transactions_are_disturbed_on_kafka() -> None:
    """Each message aborted first; offsets moved back behind what was done, lost before what waits; a second member."""
    happened = calm("published m1#1; published m2#1")
    found = told(kafka(happened, contract(broker="kafka")))
    assert found == [
        "abort m1; publish m1; publish m2",
        "abort m2; publish m2; publish m1",
        "publish m1; publish m2; rewind shop; start shop",
        "publish m1; publish m2; rebalance shop",
        "stop shop; publish m1; publish m2; forget shop; start shop",
    ]
    assert told(kafka(happened, contract())) == []
    in_transactions = calm("published m1#1; published m2#1; end-txn m1#1")
    more = told(kafka(in_transactions, contract(broker="kafka")))
    assert [each for each in more if each not in found] == ["abort m1; publish m2"]


def test_a_member_of_a_group_is_killed_as_it_joins() -> None:
    """Before and after it asks, and is told that it is in; a service without a group never asks."""
    alone = calm("published m1#1; fetch m1#1 *shop")
    events = tuple(msgspec.structs.replace(each, group="g") for each in alone.events)
    member, given = msgspec.structs.replace(alone, events=events), contract(broker="kafka")
    waits = "stop shop; publish m1; start shop; start shop; kill"
    assert [each for each in told(kafka(member, given)) if each not in told(kafka(alone, given))] == [
        f"{waits} before join",
        f"{waits} after join",
        f"{waits} before response to join",
        f"{waits} after response to join",
    ]
    services = {"shop": msgspec.structs.replace(SHOP, instances=2)}
    assert told(kafka(member, msgspec.structs.replace(given, services=services))) == told(kafka(alone, given))


BIG = Schedule(
    messages={name: Message(id=name) for name in ("m1", "m2", "m3", "sentinel")},
    actions=(*publish("m1", "m2", "m2", "m3", "m1"), Action(start="s")),
    traps=(
        Trap(when="before", event="ack", message="m1", do="kill"),
        Trap(when="after", event="ack", message="m3", do="kill"),
    ),
)


def duplicate_of_m2(schedule: Schedule) -> bool:
    """Fail where m2 is published twice."""
    return sum(action.target == "m2" for action in schedule.actions) > 1


def kill_of_m1(schedule: Schedule) -> bool:
    """Fail where m1 is published, its ack meets the trap, and the service is started again."""
    started = any(action.verb == "start" for action in schedule.actions)
    return started and "m1" in schedule.published and any(trap.message == "m1" for trap in schedule.traps)


@pytest.mark.parametrize(
    ("breaks", "blamed", "shortest"),
    [
        (duplicate_of_m2, ["m2"], "publish m2; publish m2"),
        (duplicate_of_m2, [], "publish m2; publish m2"),
        (duplicate_of_m2, ["m1"], "publish m2; publish m2"),
        (kill_of_m1, ["m1"], "publish m1; start s; kill before ack(m1)"),
        (lambda _: True, ["m1"], "publish m1"),
        (lambda _: True, [], "publish m1"),
    ],
)
def test_shrunk_schedule_has_no_step_that_can_go(
    breaks: Callable[[Schedule], bool], blamed: list[str], shortest: str
) -> None:
    """Whoever is blamed, the result still breaks, and nothing shorter by one step does."""
    found = shrink(BIG, blamed, breaks)
    assert found.describe() == shortest
    assert breaks(found)
    assert not any(breaks(each) for each in without_one_step(found))


def test_what_is_taken_away_is_given_back() -> None:
    """A schedule that ends with a service cut off shows nothing more, after a long wait."""
    given = Schedule(
        messages={"m1": Message()}, actions=(*publish("m1"), Action(isolate="s"), Action(mend="s"))
    )
    assert told(without_one_step(given)) == ["publish m1; mend s"]


def test_shrunk_schedule_defines_only_what_it_names() -> None:
    """Messages that are no longer published are left out; the sentinel's definition stays."""
    assert set(shrink(BIG, ["m2"], duplicate_of_m2).messages) == {"m2", "sentinel"}


def test_schedule_that_does_not_break_again_is_left_as_it_is() -> None:
    """Where nothing shorter breaks, the schedule itself is the answer."""
    assert shrink(BIG, ["m2"], lambda _: False) == BIG


def test_blamed_messages_are_tried_first() -> None:
    """Everything that has nothing to do with the blame goes in one try, since each costs a run."""
    asked: list[str] = []
    many = Schedule(
        messages={f"m{n}": Message() for n in range(50)}, actions=publish(*(f"m{n}" for n in range(50)))
    )

    def breaks(schedule: Schedule) -> bool:
        asked.append(schedule.describe())
        return "m7" in schedule.published

    shrink(many, ["m7"], breaks)
    assert asked == ["publish m7"]


def test_a_schedule_without_publications_is_never_tried() -> None:
    """With nobody to blame and no trap there is nothing to focus on: an empty run would be wasted."""
    asked: list[Schedule] = []

    def breaks(schedule: Schedule) -> bool:
        asked.append(schedule)
        return False

    shrink(Schedule(messages={"m1": Message()}, actions=publish("m1")), [], breaks)
    assert asked == []


@pytest.mark.parametrize(
    ("event", "first"), [("ack", "kill before deliver(m2)"), ("commit", "kill before fetch(m2)")]
)
def test_a_fault_that_struck_a_neighbour_is_aimed_at_the_blamed_message(event: str, first: str) -> None:
    """How far a message had got when its neighbour was struck is luck; where it is struck itself is none."""
    kill = Trap(when="after", event=event, message="m1", service="s", do="kill")
    given = Schedule(
        messages={"m1": Message(), "m2": Message()},
        actions=(*publish("m1", "m2"), Action(start="s")),
        traps=(kill,),
    )
    asked: list[str] = []

    def sure(schedule: Schedule) -> bool:
        asked.append(schedule.describe())
        return "before" in schedule.describe()

    assert shrink(given, ["m2"], sure).describe() == f"publish m2; start s; {first}"
    assert asked[:3] == [f"publish m2; start s; {first}"] * 3
    assert shrink(given, ["m2"], lambda _: False) == given  # nothing surer was found: it stays as it was
    by_luck = iter([True, False] * 3)
    assert shrink(given, ["m2"], lambda each: "m1" not in each.published and next(by_luck)) == given
    asked.clear()
    shrink(given, ["m1"], sure)
    assert not any("(m2)" in each for each in asked)  # it is at the blamed one already


def test_a_fault_that_struck_later_is_aimed_at_the_blamed_message() -> None:
    """As much later, behind its being handed over; the other places that are tried are those of any fault."""
    kill = Trap(when="after", event="ack", message="m1", service="s", do="kill", later="40ms")
    given = Schedule(
        messages={"m1": Message(), "m2": Message()},
        actions=(*publish("m1", "m2"), Action(start="s")),
        traps=(kill,),
    )
    late = "publish m2; start s; kill 40ms after deliver(m2)"
    assert shrink(given, ["m2"], lambda each: each.describe() == late).describe() == late
    assert shrink(given, ["m2"], lambda _: False) == given


def asked_of(schedule: Schedule, breaks: Callable[[Schedule], bool]) -> tuple[str, list[str]]:
    """Shrink a schedule with nobody to blame; return what is left, and what was carried out for it."""
    asked: list[str] = []

    def told(shorter: Schedule) -> bool:
        asked.append(shorter.describe())
        return breaks(shorter)

    return shrink(schedule, schedule.published, told).describe(), asked


def test_many_messages_are_left_out_together() -> None:
    """Of 48 that waited, one is to blame: a few tries find it, none of them twice."""
    names = [f"m{number}" for number in range(48)]
    actions = (Action(stop="s"), *publish(*names[:24]), Action(start="s"), *publish(*names[24:]))
    many = Schedule(messages={name: Message() for name in names}, actions=actions)

    def waited(schedule: Schedule) -> bool:
        said = schedule.describe()
        return said.startswith("stop s; ") and "publish m17" in [a.describe() for a in schedule.actions]

    found, asked = asked_of(many, waited)
    assert found == "stop s; publish m17; start s"
    assert len(asked) == len({*asked}) <= 24


def test_what_cannot_be_judged_is_not_carried_out() -> None:
    """A trap about a message that never comes, and a service that never comes back, prove nothing."""
    kill = Trap(when="before", event="ack", message="m1", service="s", do="kill")
    start = Action(start="s")
    given = Schedule(
        messages={"m1": Message(), "m2": Message()},
        actions=(*publish("m1", "m2"), Action(stop="s"), start, start),
        traps=(kill,),
    )
    _, asked = asked_of(given, lambda schedule: bool(schedule.traps))
    assert asked
    for said in asked:
        assert ("stop" not in said and "kill" not in said) or "start s" in said, said
        assert "kill" not in said or "publish m1" in said, said


def test_what_belongs_together_goes_together() -> None:
    """An outage with its end, a kill with the start behind it."""
    kill = Trap(when="before", event="ack", message="m1", service="s", do="kill")
    outage = (Action(isolate="s"), Action(mend="s"))
    given = Schedule(
        messages={"m1": Message()}, actions=(*outage, *publish("m1"), Action(start="s")), traps=(kill,)
    )
    found, asked = asked_of(given, lambda schedule: "m1" in schedule.published)
    assert (found, asked[0]) == ("publish m1", "publish m1; start s; kill before ack(m1)")
