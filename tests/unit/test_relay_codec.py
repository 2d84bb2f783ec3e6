"""How ids of ours are found in what passes."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atleastonce.relay.codec import Names

ID = "0dcf2d6e-18c6-4b0c-9d1b-2b7a3c9a4f10"


def names_of(**ids: str) -> Names:
    """Return names that know one id for each message."""
    names = Names()
    names.begin("c", [(value, message) for message, value in ids.items()], {})
    return names


@pytest.mark.parametrize(
    "said",
    [ID, ID.upper(), f"x{ID}x", f"ffff{ID}0000", f"-{ID}-", f"1234-5678-9abc-{ID}", f'{{"id": "{ID}"}}'],
)
def test_an_id_is_found_wherever_it_stands(said):
    """In capitals, between other characters, at the edge of what is said."""
    names = names_of(m1=ID)
    assert names.message(said.encode()) == "m1"
    assert names.speaks(said.encode(), 0, len(said))


@pytest.mark.parametrize("said", ["", ID[1:], ID[:-1], ID.replace("-", ""), ID[8:], str(uuid.UUID(int=7))])
def test_anything_else_is_no_id(said):
    """A part of one, one without hyphens, and one that is not ours."""
    names = names_of(m1=ID)
    assert names.message(said.encode()) is None
    assert not names.speaks(said.encode(), 0, len(said))


def test_an_id_counts_between_the_places_only():
    """What lies beside the batch that is looked into does not count."""
    data = f"{ID}{'x' * 40}".encode()
    names = names_of(m1=ID)
    assert names.speaks(data, 0, 36)
    assert not names.speaks(data, 0, 35)
    assert not names.speaks(data, 36, len(data))


@given(st.lists(st.uuids(), min_size=1, max_size=5, unique=True), st.text("0aF-x", max_size=12))
def test_ids_are_found_in_the_order_in_which_they_stand(ids, between):
    """The first id of the first part that has one."""
    names = names_of(**{f"m{number}": str(each) for number, each in enumerate(ids)})
    said = between.join(f" {each} " for each in ids).encode()
    assert names.message(said) == "m0"
    assert names.message(b"", said.split()[-1], said) == f"m{len(ids) - 1}"
