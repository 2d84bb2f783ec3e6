"""What a verification says at its end."""

import pytest

from atleastonce.commands import verify
from atleastonce.findings import Findings
from atleastonce.report.rows import rows
from atleastonce.verdict import Tally


@pytest.mark.parametrize(
    ("tally", "carried_out", "code", "said"),
    [
        (Tally(kept=3), 5, 0, "every promise kept"),
        (Tally(kept=3), 4, 0, "every promise kept so far, with 1 schedule left"),
        (Tally(kept=3, broken=1), 4, 1, "a promise is broken"),
    ],
)
def test_what_was_not_carried_out_is_not_kept_yet(
    tally: Tally, carried_out: int, code: int, said: str
) -> None:
    """A budget may end before all is tried: then the exit code is that of what was."""
    findings = Findings("shop", "rabbitmq", {"nothing-lost": tally}, planned=5, carried_out=carried_out)
    assert verify.ending(findings) == (code, f"exit code {code}: {said}")


@pytest.mark.parametrize(
    ("spent", "stuck", "why"),
    [
        (0, False, ""),
        (25, False, ": the budget of 25 s was spent, raise --budget or leave it out"),
        (0, True, ": what left the service stuck was not tried further"),
    ],
)
def test_what_is_kept_so_far_says_what_was_left(spent: float, stuck: bool, why: str) -> None:
    """In each report, and with the option that helps, if it is one."""
    tallies = {"recovers": Tally(kept=2)}
    one = Findings("s", "kafka", tallies, planned=9, carried_out=3, spent=spent, stuck=stuck)
    said = "kept on 2 schedules that gave an occasion; only 3 of 9 schedules were carried out"
    assert rows([one])[0].reason == f"{said}{why}"
    assert verify.ending(one)[1].endswith(f"every promise kept so far, with 6 schedules left{why}")
