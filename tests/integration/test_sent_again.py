"""An output that is sent again under its id is the same one; under none it is a second effect of what came once."""

import pytest
from receipts import CONTRACT

from atleastonce.campaign import Plan

pytestmark = pytest.mark.provider("native")


@pytest.mark.parametrize(("number", "outcome"), [("order", "kept"), ("none", "broken")])
def test_what_is_sent_again_under_no_id_is_a_second_effect(subject, filled, number, outcome):
    """Killed as it sends, behind its acknowledgement: the input was delivered once."""
    contract = CONTRACT if number == "order" else CONTRACT.replace('id = "message_id"\n', "")
    path = filled(contract, "sent_again.py", setting="ID", value=number)
    found = subject(path).verify(Plan(explore=("crash",), messages=1, shrink_budget=5)).findings
    tally = found.tallies["effects-once"]
    assert (tally.outcome, tally.unknown) == (outcome, 0), found.tallies
    once = "m1 had another effect than one delivery has, though it was delivered once"
    assert [each.verdict.reason for each in found.counterexamples] == [once] * (outcome == "broken")
