"""The witness beside the requests tells how late this machine wakes threads."""

import threading

from atleastonce.measuring.witness import Witness


def test_nothing_was_seen_in_no_time():
    """A block that is over at once says nothing against the machine."""
    with Witness() as witness:
        pass
    assert witness.late >= 0


def test_some_time_is_seen():
    """And the thread ends with the block."""
    with Witness() as witness:
        threading.Event().wait(0.1)  # the time itself is what is watched here
    assert len(witness._late) >= 2
    assert 0 <= witness.late < 5
    assert not witness._thread.is_alive()
