"""The zoo: what a mutant's contract has in place of the reference's."""

from pathlib import Path

import pytest

from atleastonce.commands import reference
from campus_food.mutants import MUTANTS


@pytest.mark.parametrize(
    "name", [name for name, mutant in MUTANTS.items() if mutant.amended or mutant.instances > 1]
)
def test_a_mutant_has_the_contract_of_the_reference_but_for_what_is_amended(
    name: str, tmp_path: Path
) -> None:
    """What it replaces stands there, and is gone afterwards; the reference can have the same contract."""
    mutant = MUTANTS[name]
    plain = reference.contract(tmp_path, mutant.contract, "plain")
    found = reference.contract(
        tmp_path, mutant.contract, name, mutant.module, mutant.instances, mutant.amended
    )
    right = reference.contract(tmp_path, mutant.contract, "right", "", mutant.instances, mutant.amended)
    for part, other in mutant.amended:
        assert part in plain.text
        assert part not in found.text
        assert other in found.text
        assert other in right.text
    for each in (found, right):
        assert [service.instances for service in each.contract.all_services.values()] == [mutant.instances]
