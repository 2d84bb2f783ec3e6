"""The walk over every protocol event of three messages: SIGKILL before and after each, on the reference."""

from collections import Counter

import pytest

from atleastonce.campaign import Plan

pytestmark = pytest.mark.timeout(600)

CRASHES = Plan(explore=("crash",))


@pytest.mark.parametrize(
    ("broker", "queue_type"), [("rabbitmq", "quorum"), ("rabbitmq", "classic"), ("kafka", "")]
)
def test_the_reference_keeps_its_promises_at_every_crash_point(subject, campus, broker, queue_type, walks):
    """Every trap springs, and no crash loses or doubles anything, however often the walk is made."""
    service = subject(campus(broker, queue_type=queue_type))
    for _ in range(walks):
        findings = service.verify(CRASHES).findings
        tallies = findings.tallies
        # Four events in the life of a message, before and after, three messages.
        assert findings.planned == findings.carried_out == 24
        assert (tallies["nothing-lost"].kept, tallies["nothing-lost"].unknown) == (24, 0), tallies
        # Not delivered twice where it dies before the first delivery, or when all is acknowledged.
        assert tallies["effects-once"].kept >= 18, tallies
        assert Counter(t.outcome for t in tallies.values()) == {"kept": 2}


def test_duplicates_change_nothing(subject, campus):
    """A publisher may send again after an unknown confirm: the reference recognises every second copy."""
    subject(campus("rabbitmq")).verify(Plan(explore=("duplicates",))).assert_kept()
    subject(campus("kafka")).verify(Plan(explore=("duplicates",))).assert_kept()
