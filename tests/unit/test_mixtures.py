"""Random schedules: legal by construction, different, and the same for the same seed."""

from functools import lru_cache
from itertools import islice

import msgspec

from atleastonce.contract import BrokerTable, Contract, Input, Kind, Service
from atleastonce.exploration.mixtures import mixtures
from atleastonce.history import History
from atleastonce.promises import PROMISES
from atleastonce.schedule import Schedule, Verb
from histories import history, seen

HAPPENED = "; ".join(
    f"published m{n}#1; deliver m{n}#1 *shop; publish m{n} >out *shop; confirm m{n} *shop; ack m{n}#1 *shop"
    for n in (1, 2, 3)
)

UNDONE: tuple[tuple[Verb, Verb], ...] = (("stop", "start"), ("isolate", "mend"))


def contract(*promises: str, broker: Kind = "rabbitmq") -> Contract:
    """Return a contract of one service that makes these promises."""
    return Contract(
        broker=BrokerTable(kind=broker),
        services={"shop": Service(command="run")},
        input=Input(
            topic="in" if broker == "kafka" else "", queue="in" if broker == "rabbitmq" else "", message="{}"
        ),
        promises=dict.fromkeys(promises, True),
    )


def calm(number: int = 0) -> History:
    """Return a calm run of a seed."""
    found = history(HAPPENED, seen(), seen())
    schedule = msgspec.structs.replace(found.header.schedule, seed=number)
    return msgspec.structs.replace(found, header=msgspec.structs.replace(found.header, schedule=schedule))


@lru_cache
def some(number: int = 0, *promises: str) -> list[Schedule]:
    """Return the first schedules of a seed."""
    return [*islice(mixtures(calm(number), contract("effects-once", *promises)), 60)]


def faults(schedules: list[Schedule]) -> set[str]:
    """Return every verb and every fault that occurs."""
    verbs = {action.verb for each in schedules for action in each.actions}
    return verbs | {trap.do for each in schedules for trap in each.traps}


def test_a_seed_says_which() -> None:
    """Another one makes others."""
    again = islice(mixtures(calm(1), contract("effects-once")), 60)
    assert some(1) == [*again]
    assert [each.describe() for each in some(1)] != [each.describe() for each in some(2)]


def test_every_fault_is_mixed_in_where_it_is_promised_about() -> None:
    """Links die only where the service is said to recover, and poison needs a promise too."""
    assert faults(some()) == {"publish", "stop", "start", "kill"}
    everything = some(0, "recovers", "poison-set-aside")
    assert faults(everything) == {"publish", "stop", "start", "kill", "cut", "isolate", "mend"}
    assert any(trap.is_write for each in everything for trap in each.traps)
    assert any(each.poisons for each in everything)
    assert not any(each.poisons for each in some(0, "recovers"))


def test_what_ends_a_service_starts_it_again() -> None:
    """Each stop has its start behind it, each isolation its end, and every message is published."""
    for each in some(0, *(name for name in PROMISES if name != "backs-off")):
        verbs = [action.verb for action in each.actions]
        ended = [trap for trap in each.traps if trap.do in ("kill", "stop")]
        assert {*each.innocents} >= {"m1", "m2", "m3"}
        assert verbs.count("start") == verbs.count("stop") + len(ended), each.describe()
        assert verbs.count("isolate") == verbs.count("mend")
        assert not ended or verbs[-1] == "start"
        for down, up in UNDONE:
            assert down not in verbs or verbs.index(down) < verbs.index(up)


def test_a_chain_over_http_has_none() -> None:
    """Where no broker delivers, nothing is delivered twice."""
    assert [*mixtures(calm(), contract("effects-once", broker="http"))] == []


def test_a_log_is_read_again_and_changes_hands() -> None:
    """What only Kafka has is drawn there and nowhere else, and who is down comes back behind it."""
    found = [*islice(mixtures(calm(), contract("effects-once", broker="kafka")), 200)]
    assert faults(found) == {"publish", "stop", "start", "kill", "rewind", "forget", "rebalance", "abort"}
    for each in found:
        verbs = [action.verb for action in each.actions]
        for down in ("rewind", "forget"):
            assert down not in verbs or "start" in verbs[verbs.index(down) :], each.describe()
        assert "forget" not in verbs or "stop" in verbs[: verbs.index("forget")]


def test_some_faults_show_in_a_crowd_or_in_time() -> None:
    """Many messages, of the kinds of the calm run; where messages expire, a service is down for longer."""
    assert {len(each.innocents) for each in some()} == {3, 12, 48}
    given = calm()
    header = msgspec.structs.replace(given.header, declared={"expires": {"in": 500}})
    found = islice(mixtures(msgspec.structs.replace(given, header=header), contract("effects-once")), 200)
    assert "wait" in faults([*found])


def test_one_of_several_instances_stands_still() -> None:
    """At a write point; a service of one instance would keep everything waiting."""
    two = msgspec.structs.replace(contract(), services={"shop": Service(command="run", instances=2)})
    assert "pause" in faults([*islice(mixtures(calm(), two), 200)])
    assert "pause" not in faults([*islice(mixtures(calm(), contract()), 200)])


def test_a_queue_is_deleted_and_nothing_else_is_out() -> None:
    """Its service is not healthy without it, whatever else has ended meanwhile."""
    asked = msgspec.structs.replace(
        contract("accepts-honestly", "recovers", "tells-health"),
        input=Input(http="POST http://127.0.0.1:{port}/order", message="{}"),
    )
    found = [*islice(mixtures(calm(), asked), 300)]
    deleted = [each for each in found if "unroute" in each.verbs]
    assert deleted
    assert all(each.verbs <= {"publish", "unroute", "reroute", "start"} for each in deleted)
