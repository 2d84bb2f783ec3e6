"""How a report names what it is about."""

import msgspec
import pytest

from atleastonce.report.wording import introduced
from atleastonce.schedule import Message, Schedule
from histories import history, seen

OURS = ""
THEIRS = '[[poison]]\nname = "short"\ntext = "{"\n'


@pytest.mark.parametrize(
    ("contract", "said"), [(OURS, "p1 (poison truncated)"), (THEIRS, "p1 (poison short)")]
)
def test_a_poison_is_introduced_by_its_kind(contract: str, said: str) -> None:
    """Those that a contract names none of are named by us."""
    schedule = Schedule(messages={"p1": Message(id="truncated", poison=0)}, actions=())
    header = history("published p1#1; quiet", seen(), None).header
    header = msgspec.structs.replace(header, contract_text=contract, schedule=schedule)
    assert introduced("p1", header) == said
