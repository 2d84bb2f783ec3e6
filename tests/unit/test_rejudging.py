"""Saved histories, judged again, come to what the run said that saved them."""

import gc
from typing import Any

import msgspec
import pytest

from atleastonce.history import History
from atleastonce.history_file import append, read
from atleastonce.rejudging import rejudged
from atleastonce.verdict import NOT_AGAIN, Tally
from histories import history, seen

CLEAN = seen(outputs="m1:a")
TWICE = "published m1#1; deliver m1#1; closed; deliver m1#1 again; ack m1#1; quiet; canary"
PROMISED: dict[str, dict[str, Any]] = {"nothing-lost": {}, "effects-once": {}}


def saved(outputs: str, happened: str = TWICE, *, proof: bool = False, seed: int = 0, **more) -> History:
    """Return a saved history in which these outputs were seen; `seed` makes its schedule another one."""
    found = history(happened, CLEAN, seen(outputs=outputs), promised=PROMISED)
    schedule = msgspec.structs.replace(found.header.schedule, seed=seed)
    header = msgspec.structs.replace(found.header, proof=proof, schedule=schedule, **more)
    return msgspec.structs.replace(found, header=header)


def counted(*histories: History) -> dict[str, Tally]:
    """Return what the histories of one service come to."""
    (one,) = rejudged((f"lane-1.jsonl:{number}", each) for number, each in enumerate(histories))
    return one.findings.tallies


def came(outputs: str, after: float, **more) -> History:
    """Return a saved history in which these outputs were seen so many seconds after quiet."""
    found = saved(outputs, **more)
    (quiet,) = found.named("quiet")
    last = msgspec.structs.replace(found.observations[-1], at=quiet.t + after)
    return msgspec.structs.replace(found, observations=(*found.observations[:-1], last))


KEPT, LOST, DOUBLED = "m1:a", "", "m1:a m1:b"
UNSPRUNG = TWICE.replace("quiet", "unsprung! why; quiet")


@pytest.mark.parametrize(
    ("histories", "effects_once", "nothing_lost"),
    [
        ([saved(KEPT)], Tally(kept=1), Tally(kept=1)),
        ([saved(DOUBLED)], Tally(broken=1), Tally(kept=1)),
        ([saved(LOST)], Tally(kept=1), Tally(broken=1)),
        # Of several attempts at one schedule the one counts that says most, in whichever lane it came first.
        ([saved(KEPT, UNSPRUNG), saved(KEPT)], Tally(kept=1), Tally(kept=1)),
        ([saved(KEPT), saved(KEPT, UNSPRUNG)], Tally(kept=1), Tally(kept=1)),
        ([saved(KEPT, seed=1), saved(KEPT, seed=2)], Tally(kept=2), Tally(kept=2)),
        # What is carried out to prove a failure is not counted, unless there is nothing else.
        ([saved(DOUBLED), saved(DOUBLED, proof=True)], Tally(broken=1), Tally(kept=1)),
        ([saved(KEPT), saved(KEPT, UNSPRUNG, proof=True, seed=1)], Tally(kept=1), Tally(kept=1)),
        ([saved(DOUBLED, proof=True)], Tally(broken=1), Tally(kept=1)),
        # A surplus stands; what was missing must have been seen again.
        ([saved(DOUBLED), saved(KEPT, proof=True)], Tally(broken=1), Tally(kept=1)),
        ([saved(LOST), saved(LOST, proof=True), saved(KEPT, proof=True)], Tally(kept=1), Tally(broken=1)),
        ([saved(LOST), saved(KEPT, proof=True)], Tally(kept=1), Tally(unknown=1, reasons={NOT_AGAIN: 1})),
        (
            [saved(LOST), saved(KEPT, proof=True), saved(LOST, seed=1)],
            Tally(kept=2),
            Tally(unknown=2, reasons={NOT_AGAIN: 2}),
        ),
    ],
)
def test_histories_count_as_in_the_run(histories, effects_once, nothing_lost) -> None:
    """A schedule once; what is missing only where it was not seen to be there when that was to be proven."""
    assert counted(*histories) == {"effects-once": effects_once, "nothing-lost": nothing_lost}


@pytest.mark.parametrize(
    ("other", "outcome"),
    [
        (came(KEPT, 8.0), "kept"),  # it was late, and no more than that
        (came(KEPT, 0.1), "broken"),  # it was lost once, and the other time it was not
        (came(LOST, 15.0, in_vain=15.0), "broken"),
        (came(KEPT, 8.0, seed=1), "broken"),  # that is another schedule
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_what_came_later_than_it_was_awaited_is_not_lost(other, outcome, order) -> None:
    """In whichever lane that was found out."""
    both = [came(LOST, 1.0, in_vain=1.0), other]
    assert counted(*both[::order])["nothing-lost"].outcome == outcome


@pytest.mark.parametrize(("again", "outcome"), [((0, 0), "broken"), ((0, 1), "unknown"), ((1, 1), "unknown")])
def test_what_shows_in_totals_alone_must_be_seen_each_time(again, outcome) -> None:
    """As while it is proven."""

    def total(value: int, *, proof: bool = False) -> History:
        clean, found = (seen({"/count": each}, outputs="m1:a") for each in (1, value))
        one = history(TWICE, clean, found, before={"/count": 0}, promised=PROMISED)
        return msgspec.structs.replace(one, header=msgspec.structs.replace(one.header, proof=proof))

    tallies = counted(total(0), *(total(value, proof=True) for value in again))
    assert tallies["nothing-lost"].outcome == outcome


def test_services_are_told_apart() -> None:
    """By contract, broker, settings and name: each has findings of its own, in the order in which they come."""
    several = [
        saved(KEPT, services=("a",)),
        saved(KEPT, services=("b",)),
        saved(DOUBLED, services=("a",)),
        saved(KEPT, services=("a",), settings={"queue_type": "classic"}),
    ]
    found = [each.findings for each in rejudged(("h.jsonl:1", each) for each in several)]
    told = [(each.service, each.carried_out, each.outcome) for each in found]
    assert told == [("a", 1, "broken"), ("b", 1, "kept"), ("a", 1, "kept")]


def test_the_shortest_failure_is_kept_with_its_place() -> None:
    """It is what a reader is shown, be it a proof or not."""
    long = "published m1#1; published m1#2; " + TWICE
    histories = [("h.jsonl:1", saved(DOUBLED, long)), ("h.jsonl:9", saved(DOUBLED, proof=True))]
    (one,) = rejudged([*histories, ("h.jsonl:17", saved(DOUBLED))])
    failure = one.failures["effects-once"]
    assert (failure.place, failure.steps, one.histories) == ("h.jsonl:9", 1, 3)


def test_what_was_judged_is_let_go_without_the_collector(tmp_path) -> None:
    """Of many histories one is kept at a time: no verdict leaves a cycle that would hold its history."""
    for number in range(100):
        append(
            saved(DOUBLED if number % 2 else LOST, UNSPRUNG if number % 3 else TWICE), tmp_path / "h.jsonl"
        )
    rejudged((f"{line}", each) for line, each in read(tmp_path / "h.jsonl"))
    gc.collect()
    found = rejudged((f"{line}", each) for line, each in read(tmp_path / "h.jsonl"))
    assert (found[0].histories, gc.collect()) == (100, 0)
