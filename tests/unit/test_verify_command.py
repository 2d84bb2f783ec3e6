"""What a verification says at its end."""

import pytest

from atleastonce.commands import verify
from atleastonce.findings import Findings
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
