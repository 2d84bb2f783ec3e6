"""What comes late behind a fault is not lost: a correct service may have to wait for a sweep, or the end of a lease."""

import pytest
from receipts import CONTRACT

from atleastonce.campaign import Plan
from atleastonce.history_file import read
from atleastonce.rejudging import rejudged

pytestmark = pytest.mark.provider("native")


@pytest.mark.parametrize(("after", "outcome", "in_vain"), [("8", "kept", 0), ("never", "broken", 15)])
def test_what_a_sweep_gets_to_is_not_lost(subject, filled, tmp_path, after, outcome, in_vain):
    """Killed before it publishes; in clean runs everything comes at once. Judged offline, it comes to the same."""
    path = filled(CONTRACT + "recovers = true\n", "swept_outbox.py", setting="AFTER", value=after)
    plan = Plan(messages=1, explore=("crash",), confirm=1, shrink_budget=0, recovery=15)
    found = subject(path).verify(plan, histories=tmp_path / "histories").findings
    assert found.tallies["nothing-lost"].outcome == outcome, found.tallies
    assert sum(tally.unknown for tally in found.tallies.values()) == 0, found.tallies
    saved = [each for path in sorted(tmp_path.glob("histories/*")) for each in read(path)]
    longest = max((history.waiting for _, history in saved), key=max)
    assert longest.in_vain == in_vain
    assert max(longest) > 6
    (again,) = rejudged((f"line {line}", history) for line, history in saved)
    assert again.findings.tallies == found.tallies
