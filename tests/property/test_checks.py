"""Whatever happens to messages on the way, the checks accuse only what can be seen."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from atleastonce.checks import CHECKS, effects_once
from atleastonce.history import History
from histories import history, seen

MESSAGES = ("m1", "m2", "m3")
CLEAN = seen({"/stock": 7, **{f"/r/<{m}.id>": 1 for m in MESSAGES}}, "m1:a m2:b m3:c")
RUN = settings(deadline=None, derandomize=True, database=None)

_copies = st.sampled_from([f"{message}#{number}" for message in MESSAGES for number in (1, 2)])
_fates = st.sampled_from(["ack {0}", "requeue {0}", "closed", "reject {0}", "confirm {0}", ""])
_deliveries = st.lists(st.tuples(_copies, st.sampled_from(["", "again", "auto"]), _fates), max_size=20)


def carried_out(deliveries: list[tuple[str, str, str]], **seen_then: Any) -> History:
    """Return a quiet history of these deliveries, each with what became of it, that a canary watched."""
    published = "; ".join(f"published {message}#1" for message in MESSAGES)
    passed = "; ".join(f"deliver {copy} {how}; {fate.format(copy)}" for copy, how, fate in deliveries)
    faulty = CLEAN._replace(**seen_then)
    return history(f"{published}; {passed}; quiet; canary", CLEAN, faulty, before={"/stock": 10})


@RUN
@given(_deliveries, st.permutations(CLEAN.outputs.split()), st.integers(1, 3))
def test_clean_observation_is_never_broken(
    deliveries: list[tuple[str, str, str]], outputs: list[str], times: int
) -> None:
    """Any number of deliveries in any order, and outputs sent again under their id, break no promise."""
    given_history = carried_out(deliveries, outputs=" ".join(outputs * times))
    assert "broken" not in {check(given_history).outcome for check in CHECKS.values()}


@RUN
@given(_deliveries, st.sampled_from(MESSAGES), st.permutations([*CLEAN.outputs.split(), "new"]))
def test_output_under_a_new_id_is_always_broken(
    deliveries: list[tuple[str, str, str]], message: str, outputs: list[str]
) -> None:
    """A second output of a message that came twice, under an id of its own, never goes unnoticed."""
    twice = [*deliveries, *[(f"{message}#1", "", "")] * 2]
    surplus = " ".join(outputs).replace("new", f"{message}:new")
    verdict = effects_once.check(carried_out(twice, outputs=surplus))
    assert (verdict.outcome, verdict.blamed, verdict.surplus) == ("broken", (message,), True)


@RUN
@given(_deliveries, st.sampled_from(MESSAGES))
def test_missing_effect_is_always_broken(deliveries: list[tuple[str, str, str]], message: str) -> None:
    """An effect that is missing while the canary kept its time never goes unnoticed."""
    short = {address: value for address, value in CLEAN.values.items() if message not in address}
    verdict = CHECKS["nothing-lost"](carried_out(deliveries, values=short))
    assert (verdict.outcome, verdict.blamed) == ("broken", (message,))


@RUN
@given(
    st.lists(
        st.sampled_from(
            ["deliver p1#1", "reject p1#1", "requeue p1#1", "closed", "exit", "cut", "canary", "canary!"]
        )
    ),
    st.sampled_from(["quiet", "quiet! why", "looped p1#1! why", "looped! why", "recorder! why", ""]),
    st.sampled_from(["", "p1", "p1 p1", "?", "p1!body", "m1"]),
)
def test_every_history_has_a_verdict(happened: list[str], end: str, dead: str) -> None:
    """Whatever a history holds, each check returns the verdict of its promise; failures of ours accuse nobody."""
    text = "; ".join(["published m1#1", "published p1#1", *happened, end])
    verdicts = {
        name: check(history(text, CLEAN, CLEAN._replace(dead=dead))) for name, check in CHECKS.items()
    }
    assert {name: verdict.promise for name, verdict in verdicts.items()} == {name: name for name in CHECKS}
    if end.startswith("recorder") or not end:
        assert {verdict.outcome for verdict in verdicts.values()} == {"unknown"}
