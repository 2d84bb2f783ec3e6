"""What changed in a run, and how that differs from a clean run."""

from typing import Any

import pytest

from atleastonce import agreement, effects
from atleastonce.effects import Difference
from atleastonce.history import Observation, Output
from histories import outputs


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (9, 9, {}),
        (9, 7, {"/a $": {"by": -2}}),
        (0.1, 0.3, {"/a $": {"by": 0.2}}),
        (1234567890.12, 1234567900.11, {"/a $": {"by": 9.99}}),
        (True, 1, {"/a $": {"to": 1}}),
        ("x", "y", {"/a $": {"to": "y"}}),
        (None, {"n": 1}, {"/a $": {"to": {"n": 1}}}),
        ({"n": 1, "k": 2}, {"n": 3, "k": 2}, {"/a $.n": {"by": 2}}),
        ({"n": 1}, {}, {"/a $.n": {"gone": 1}}),
        ("20.20", "60.60", {"/a $": {"by": 40.4}}),
        ({}, {"sum": "9.50"}, {"/a $.sum": {"by": 9.5}}),
        ({"sum": None}, {"sum": 3}, {"/a $.sum": {"by": 3}}),
        ({"sum": None}, {"sum": "9.50"}, {"/a $.sum": {"by": 9.5}}),
        ({"at": None}, {"at": "noon"}, {"/a $.at": {"to": "noon"}}),
        ("1.5", "1.50", {"/a $": {"to": "1.50"}}),
        ("1.5", 2.5, {"/a $": {"to": 2.5}}),
        ("1.2.3", "1.2.4", {"/a $": {"to": "1.2.4"}}),
        ({}, {"n": {"k": 5}}, {"/a $.n.k": {"by": 5}}),
        ({}, {"n": {}}, {"/a $.n": {"to": {}}}),
        ("x", {}, {"/a $": {"to": {}}}),
        ([1], {}, {"/a $": {"to": {}}}),
        ([{"q": 1}, {"q": 2}], [{"q": 1}, {"q": 5}], {"/a $[1].q": {"by": 3}}),
        ([1, 2], [2, 3, 4], {"/a $": {"added": ["3", "4"], "removed": ["1"]}}),
        ({}, {"l": [{"b": 1, "a": 2}]}, {"/a $.l": {"added": ['{"a":2,"b":1}'], "removed": []}}),
    ],
)
def test_changes(before: Any, after: Any, changed: effects.Changes) -> None:
    """Numbers change by something, lists gain and lose entries, everything else becomes something."""
    assert effects.changes({"/a": before}, {"/a": after}) == changed


def test_what_was_not_there_before_counts_from_nothing() -> None:
    """The first case on fresh state has the same changes as a later one."""
    first = effects.changes({}, {"/total": 3, "/all": ["x"]})
    later = effects.changes({"/total": 3, "/all": ["x"]}, {"/total": 6, "/all": ["x", "x"]})
    assert first == later == {"/total $": {"by": 3}, "/all $": {"added": ['"x"'], "removed": []}}


def test_address_that_is_gone() -> None:
    """An address that answers no more is a change too."""
    assert effects.changes({"/a": "x"}, {}) == {"/a $": {"gone": "x"}}


@pytest.mark.parametrize(
    "ignored", ["$.at", "$.items[*].at", "$.items[0].at", "$.items[*]", "$.items", "$", "$.deep"]
)
def test_ignored_path_changes_nothing(ignored: str) -> None:
    """A path is ignored with everything below it, in entries of a list of any length too."""
    texts = {"$.at": {"at": 1}, "$.deep": {"deep": {"at": [1]}}}
    before = texts.get(ignored, {"items": [{"at": 1}]})
    after = {"$.at": {"at": 2}, "$.deep": {"deep": {"at": [2, 3]}}}.get(ignored, {"items": [{"at": 2}]})
    assert effects.changes({"/a": before}, {"/a": after}, [ignored]) == {}
    assert effects.changes({"/a": before}, {"/a": after}, ["$.a", "$.item"]) != {}


def test_ignored_key_of_a_new_list_entry() -> None:
    """An entry that is added is compared without what is ignored in it."""
    after = {"/a": {"items": [{"n": 1, "at": "noon"}]}}
    changed = effects.changes({"/a": {"items": []}}, after, ["$.items[*].at"])
    assert changed == {"/a $.items": {"added": ['{"n":1}'], "removed": []}}


def differences(clean: Any, run: Any, before: Any) -> list[tuple[str, str, str]]:
    """Return kind, found and expected of how a run differs from a clean one."""
    expected = Observation(observed="clean-1", values=effects.changes({"/a": before}, {"/a": clean}))
    found = effects.compare(expected, Observation(observed="faulty", values={"/a": run}), {"/a": before}, ())
    return [(each.kind, each.found, each.expected) for each in found]


@pytest.mark.parametrize(
    ("before", "clean", "run", "found"),
    [
        (10, 9, 9, []),
        (10, 9, 8, [("surplus", "-2", "-1")]),
        (10, 8, 9, [("deficit", "-1", "-2")]),
        (10, 9, 10, [("deficit", "no change", "-1")]),
        (10, 10, 9, [("surplus", "-1", "no change")]),
        (10, 9, 11, [("differs", "+1", "-1")]),
        ("new", "done", "failed", [("differs", '"failed"', '"done"')]),
        ([], [1], [1, 1], [("surplus", "2 added, 0 removed", "1 added, 0 removed")]),
        ([], [1, 2], [2], [("deficit", "1 added, 0 removed", "2 added, 0 removed")]),
        ([], [1, 2], [2, 3], [("differs", "added 3", "added 1")]),
        ({"a": 1}, {}, {"a": 1}, [("deficit", "no change", "gone")]),
    ],
)
def test_kind_of_a_difference(before: Any, clean: Any, run: Any, found: list[tuple[str, str, str]]) -> None:
    """More of the same is a surplus, less a deficit, anything else merely differs."""
    assert differences(clean, run, before) == found


def seen_outputs(text: str) -> Observation:
    """Return an observation of outputs only."""
    return Observation(observed="faulty", outputs=outputs(text))


@pytest.mark.parametrize(
    ("clean", "run", "kinds"),
    [
        ("m1:a", "m1:a m1:a", []),
        ("m1:a", "m1:b", []),
        ("m1:a", "m1:a m1:b", ["surplus"]),
        ("m1:a m2:b", "m1:a", ["deficit"]),
        ("m1", "m1 m1", ["surplus"]),
        ("m1 m1", "m1", ["deficit"]),
        ("m1:a", "m2:a", ["deficit", "surplus"]),
    ],
)
def test_outputs_are_a_set_by_id_and_a_multiset_without(clean: str, run: str, kinds: list[str]) -> None:
    """One id is one output however often it comes; without an id every one counts."""
    found = effects.compare(seen_outputs(clean), seen_outputs(run), {}, ())
    assert [each.kind for each in found] == kinds


def test_output_with_another_body_differs() -> None:
    """Bodies are compared without what is ignored in them, by value and not by the order of keys."""
    clean, other = (
        Observation(observed="faulty", outputs=(Output(queue="out", id="a", message="m1", body=body),))
        for body in ({"n": 1, "at": 5}, {"at": 6, "n": 2})
    )
    assert effects.compare(clean, other, {}, ["$.at"]) == (
        Difference("differs", "outputs of m1 in out ($.n)", '{"n":2}', '{"n":1}', "m1"),
    )
    assert effects.compare(clean, other, {}, ["$.at", "$.n"]) == ()


def test_a_message_that_one_clean_run_shows_nothing_of_may_be_lost() -> None:
    """To ignore it would hide that."""
    first = Observation(observed="clean-1", values={"/r/<m1.id> $": {"by": 1}})
    second = Observation(observed="clean-2")
    said = agreement.restless(first, second, ())
    assert said.endswith(
        "/r/<m1.id> $; the second, behind a restart and in reverse order, shows nothing of m1: is that lost, "
        "or has a later one overwritten it?"
    ), said


def test_unstable_names_where_two_clean_runs_differ() -> None:
    """Each place is named once."""
    first = Observation(observed="clean-1", values={"/a $": {"by": 1}}, outputs=outputs("m1:a"))
    second = Observation(observed="clean-2", values={"/a $": {"by": 2}}, outputs=outputs("m1:a m1:b"))
    assert effects.unstable(first, second, ()) == ("/a $", "outputs of m1 in out")
    assert agreement.restless(first, first, ()) == ""


def test_values_and_outputs_that_differ_are_both_named_with_what_helps() -> None:
    """However many there are of one: to ignore a path says nothing of outputs that tell of several messages."""
    values = {f"/{name} $": {"by": 1} for name in "abcde"}
    first = Observation(observed="clean-1", values=values, outputs=outputs("m1:a"))
    second = Observation(observed="clean-2", outputs=outputs("m1:a m1:b"))
    said = agreement.restless(first, second, ())
    where = (
        "/a $, /b $, /c $ and 2 more, and outputs of m1 in out; see observe.ignore; where an output tells of"
    )
    assert said.startswith(f"two clean runs differ, so these prove nothing: {where} several messages, "), said
    assert "where an output" not in agreement.restless(
        first, Observation(observed="clean-2", outputs=first.outputs), ()
    )


def clean(**values: Any) -> Observation:
    """Return a clean run that changed this, with lists for what was added."""
    changed = {
        f"/a $.{k.replace('_', '.')}": v if isinstance(v, dict) else {"added": v, "removed": []}
        for k, v in values.items()
    }
    return Observation(observed="clean-1", values=changed)


@pytest.mark.parametrize(
    ("first", "second", "grew"),
    [
        (clean(n={"by": 1}, rows=["soup 1"]), clean(n={"by": 1}, **{"rows[0]_times": {"by": 1}}), True),
        (clean(n={"by": 1}, rows=["soup 1"]), clean(n={"by": 2}, **{"rows[0]_times": {"by": 1}}), False),
        (clean(rows=["soup 1"]), clean(rows=["soup 2"]), False),
        (clean(rows=["soup 1"]), clean(), True),
        (clean(**{"rows[0]_times": {"by": 1}}), clean(rows=["soup 1"]), False),
        (clean(n={"by": 1}), clean(n={"by": 1}), False),
        (clean(n={"by": 1}, unit={"to": "mm"}), clean(n={"by": 1}), True),
        (clean(n={"to": "<m1.n>"}, unit={"to": "mm"}), clean(n={"to": "<m1.n>"}), True),
        (clean(n={"by": 1}, unit={"to": "mm"}), clean(n={"by": 2}), False),
        (clean(n={"by": 1}, unit={"to": "mm"}), clean(), False),
        (clean(n={"by": 1}, last={"to": "<m1.id>"}), clean(n={"by": 1}), False),
        (clean(n={"by": 1}), clean(n={"by": 1}, unit={"to": "mm"}), False),
    ],
    ids=[
        "a row",
        "a row and a number",
        "other rows",
        "a row that stays",
        "the second grew",
        "nothing differs",
        "a field that stays",
        "a field that stays beside one that names a message",
        "a field and a number",
        "a record that stays",
        "a field that names a message",
        "a field of the second",
    ],
)
def test_rows_that_only_the_first_of_two_runs_makes(
    first: Observation, second: Observation, grew: bool
) -> None:
    """They are why two clean runs differ where everything else is alike."""
    assert agreement.grew(first, second, ()) is grew


def test_what_never_stood_still_proves_nothing() -> None:
    """Not even where two clean runs, watched for as long, have moved as far."""
    first = Observation(observed="clean-1", values={"/a $.age": {"by": 10}}, moving=("/a $.age",))
    found = agreement.restless(first, first, ())
    assert found == "a clean run never stood still, so these prove nothing: /a $.age; see observe.ignore"
    assert found.startswith(agreement.RESTLESS)


def test_touched_names_the_messages_whose_effect_is_seen() -> None:
    """By an address, a value or an output; None stands for what names no message."""
    values = {"/r/<m1.id> $": {"by": 1}, "/all $": {"added": ['"<m2.id>"'], "removed": []}}
    clean = Observation(observed="clean-1", values=values, outputs=outputs("m3:a"))
    assert effects.touched(clean) == {"m1", "m2", "m3"}
    total = Observation(observed="clean-1", values={"/stock $": {"by": -1}})
    assert effects.touched(total) == {None}
