"""The walk over every protocol event of three messages: SIGKILL before and after each, on the reference."""

from collections import Counter

import pytest
from hearing import Heard
from slices import thoroughly

from atleastonce.campaign import Plan

pytestmark = pytest.mark.timeout(600)

CRASHES = Plan(explore=("crash",))


@pytest.mark.parametrize(
    ("atleastonce_provider", "broker", "queue_type"),
    [
        ("docker", "rabbitmq", "quorum"),
        thoroughly("native", "rabbitmq", "classic"),
        thoroughly("docker", "kafka", ""),
    ],
)
def test_the_reference_keeps_its_promises_at_every_crash_point(subject, campus, broker, queue_type, walks):
    """Every trap springs, and no crash loses or doubles anything, however often the walk is made.

    The other pairs of provider and broker are walked below, where every promise is kept.
    """
    service = subject(campus(broker, queue_type=queue_type))
    for _ in range(walks):
        heard = Heard()
        findings = service.verify(CRASHES, heard).findings
        tallies = findings.tallies
        # On a slow machine one is at work for long enough to be killed in the midst of it, too, or not: that may miss.
        late = sum(any(trap.later for trap in each.history.header.schedule.traps) for each in heard.all)
        # Events in the life of a message, before and after, three messages; and a SIGTERM at work on each. There are
        # four. In a transaction two outputs are produced and confirmed, offsets taken, the end asked for and answered.
        planned = (2 * (9 if broker == "kafka" else 4) + 1) * 3
        assert findings.planned == findings.carried_out == planned + late
        assert planned <= tallies["nothing-lost"].kept <= planned + late, tallies
        # Not delivered twice where it dies before the first delivery, or when all is acknowledged or committed.
        assert tallies["effects-once"].kept >= planned - (15 if broker == "kafka" else 9), tallies
        assert Counter(t.broken + t.unknown for t in tallies.values()) == {0: len(tallies)}


@pytest.mark.restarts_broker
@pytest.mark.parametrize(
    ("atleastonce_provider", "queue_type"), [("docker", "quorum"), ("native", "classic")]
)
def test_the_inventory_keeps_every_promise(subject, campus, queue_type, thorough):
    """Duplicates, poison, outages, a broker out of reach and restarted, links cut and crashes at every point."""
    found = (
        subject(campus("rabbitmq", queue_type=queue_type))
        .verify(Plan(messages=2 if thorough else 1))
        .findings
    )
    kept = dict.fromkeys(found.tallies, "kept")
    assert {name: tally.outcome for name, tally in found.tallies.items()} == kept, found.tallies


@pytest.mark.restarts_broker
@pytest.mark.parametrize(
    ("atleastonce_provider", "stem"),
    [
        thoroughly("native", "order"),
        thoroughly("native", "notification"),
        ("docker", "campus"),
        ("native", "kafka"),
    ],
)
def test_the_other_services_keep_every_promise(subject, campus, stem):
    """Alone, as a chain of three with a relay of its own each, and the inventory on Kafka."""
    found = subject(campus(stem)).verify(Plan(messages=1)).findings
    kept = dict.fromkeys(found.tallies, "kept")
    assert {name: tally.outcome for name, tally in found.tallies.items()} == kept, found.tallies


@pytest.mark.provider("native")
def test_duplicates_change_nothing(subject, campus):
    """A publisher may send again after an unknown confirm: the reference recognises every second copy."""
    for broker in ("rabbitmq", "kafka"):
        tallies = subject(campus(broker)).verify(Plan(explore=("duplicates",))).findings.tallies
        assert [tallies[name].outcome for name in ("effects-once", "nothing-lost")] == ["kept"] * 2, tallies
        assert sum(tally.broken + tally.unknown for tally in tallies.values()) == 0, tallies


@pytest.mark.provider("native")
def test_a_database_may_outlive_the_lane(subject, campus, tmp_path):
    """What the reference tells again as it starts, of an earlier lane, is late for no case of the next one."""
    text = campus("rabbitmq").text.replace('reset = "fresh-ids"', 'reset = "restart"')
    contract = tmp_path / "atleastonce.toml"
    contract.write_text(text.replace("sqlite:///{data_dir}", f"sqlite:///{tmp_path}"))
    tallies = subject(contract).verify(Plan(explore=("crash",), messages=1, lanes=1)).findings.tallies
    assert tallies["nothing-lost"].kept > 1, tallies
    assert sum(tally.broken + tally.unknown for tally in tallies.values()) == 0, tallies
