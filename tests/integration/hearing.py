"""Whoever wants to know more of a run than what came of it."""

from atleastonce.findings import Judged
from atleastonce.watching import Silent


class Heard(Silent):
    """Hears of every schedule that was judged."""

    def __init__(self) -> None:
        self.all: list[Judged] = []

    def judged(self, judged: Judged) -> None:
        """Remember it."""
        self.all.append(judged)
