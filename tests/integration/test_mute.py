"""A service that goes on and does nothing any more: all is settled, and even the last message has no effect."""

import pytest
from receipts import CONTRACT

from atleastonce.campaign import Plan

pytestmark = pytest.mark.provider("native")


@pytest.mark.parametrize(("mended", "outcome"), [("1", "kept"), ("0", "broken")])
def test_what_is_settled_without_effect_is_lost(subject, filled, mended, outcome):
    """A link is cut; nothing that comes after it has an effect, the last message of ours included."""
    plan = Plan(messages=1, explore=("outage",), confirm=1, shrink_budget=0, recovery=0, until="nothing-lost")
    found = subject(filled(CONTRACT, "mute.py", setting="MENDED", value=mended)).verify(plan).findings
    assert found.tallies["nothing-lost"].outcome == outcome, found.tallies
    assert sum(tally.unknown for tally in found.tallies.values()) == 0, found.tallies
