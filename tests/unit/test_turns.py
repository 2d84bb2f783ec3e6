"""In which order a log is served: run by run, each once its reader asks for what lies behind the one before."""

from atleastonce.relay.turns import Place, Turns

ONE: Place = ("orders", 0)
OTHER: Place = ("orders", 1)


def test_without_runs_everything_is_served() -> None:
    """Readers that are not to be held up never are."""
    assert Turns().limit(ONE) is None


def test_the_next_run_begins_behind_the_one_before() -> None:
    """What is in no run is always served; after the last run, everything is."""
    turns = Turns()
    turns.begin([(OTHER, 2), (ONE, 1), (OTHER, 3)])
    served = [(turns.limit(ONE), turns.limit(OTHER), turns.limit(("events", 0)))]
    for place, offset in ((ONE, 0), (OTHER, 1), (OTHER, 2), (ONE, 1), (OTHER, 3)):
        turns.asked(place, offset)
        served.append((turns.limit(ONE), turns.limit(OTHER), turns.limit(("events", 0))))
    assert served == [
        (0, 2, None),
        (0, 2, None),
        (0, 2, None),
        (1, 0, None),
        (0, 3, None),
        (None, None, None),
    ]


def test_what_is_held_is_served_once_the_runs_are_known() -> None:
    """A log may be written before it is known in which order it is to be read."""
    turns = Turns()
    turns.hold()
    held = turns.limit(ONE)
    turns.begin([(ONE, 1)])
    assert (held, turns.limit(ONE), turns.limit(OTHER)) == (0, 1, None)


def test_a_new_life_begins_anew_but_what_was_read_was_read() -> None:
    """The positions are those of this life; the furthest is that of all."""
    turns = Turns()
    turns.asked(ONE, 7)
    turns.forget()
    turns.asked(ONE, 3)
    assert (turns.positions, turns.furthest) == ({ONE: 3}, {ONE: 7})
