"""Judges saved histories again, one at a time, and counts their verdicts as the run that saved them did.

A schedule counts once, however often it was carried out, and what was carried out to prove a failure does not count.
Which one of several attempts a run took is not saved: here it is the one of which most could be said. Takes the
memory of one history, and of one failure of each promise.
"""

import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from atleastonce.checks import judge
from atleastonce.findings import Curve, Findings, Judged, curves
from atleastonce.history import Header, History, Waiting
from atleastonce.verdict import NOT_AGAIN, Verdict, tally, unknown


@dataclass(frozen=True)
class Failure:
    """A history that breaks a promise, and where it was read."""

    judged: Judged
    place: str

    @property
    def steps(self) -> int:
        """How many steps its schedule has."""
        return self.judged.history.header.schedule.steps


@dataclass
class Rejudged:
    """One service on one broker under one contract: what its histories say, and the shortest failures."""

    header: Header
    promises: tuple[str, ...]
    histories: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    explored: dict[bytes, list[tuple[Waiting, Mapping[str, Verdict]]]] = field(default_factory=dict)
    proof: dict[bytes, list[Mapping[str, Verdict]]] = field(default_factory=dict)
    """What was said of each schedule, each time that it was carried out."""

    def take(self, history: History, place: str) -> None:
        """Judge one more history on every promise."""
        header = history.header
        verdicts = {promise: judge(history, promise) for promise in self.promises}
        self.histories += 1
        if not header.proof:
            self.curves += curves(history)
        digest = _digest(header.schedule)
        if header.proof:
            self.proof.setdefault(digest, []).append(verdicts)
        else:
            self.explored.setdefault(digest, []).append((history.waiting, verdicts))
        failure = Failure(Judged(history, verdicts), place)
        for promise, verdict in verdicts.items():
            known = self.failures.get(promise)
            if verdict.outcome == "broken" and (known is None or failure.steps < known.steps):
                self.failures[promise] = failure

    @property
    def findings(self) -> Findings:
        """What a run would say; of a counterexample, which is nothing but proof, that alone."""
        explored = {key: _patient(said) for key, said in self.explored.items()}
        counted = explored or self.proof
        found = Findings(
            service=next(iter(self.header.services), "service"),
            broker=self.header.broker,
            planned=len(counted),
            carried_out=len(counted),
            settings=self.header.settings,
            versions=self.header.versions,
            curves=self.curves,
        )
        for promise in self.promises:
            counts = tally(_best(said, promise) for said in counted.values())
            found.tallies[promise] = (
                counts.withdrawn(NOT_AGAIN) if self._is_refuted(promise, explored) else counts
            )
        return found

    def _is_refuted(self, promise: str, explored: Mapping[bytes, list[Mapping[str, Verdict]]]) -> bool:
        """Tell whether something missing was not missing when that was to be proven, and nothing else stands."""
        broken = {key: found for key, said in explored.items() if (found := _breaches(said, promise))}
        tried = {key: self.proof[key] for key in broken if key in self.proof}
        stands = any(
            broken[key][0].stands(len(_breaches(said, promise)), len(said)) for key, said in tried.items()
        ) or any(breach.surplus for found in broken.values() for breach in found)
        return bool(tried) and not stands


def rejudged(placed: Iterable[tuple[str, History]]) -> list[Rejudged]:
    """Judge histories, each of which comes with where it was read; those of one service belong together."""
    found: dict[bytes, Rejudged] = {}
    with _uncollected():
        for place, history in placed:
            header = history.header
            promises = tuple(header.declared.get("promised", {}))
            key = msgspec.json.encode(
                (header.contract, header.broker, header.services, header.settings, promises), order="sorted"
            )
            mine = found.setdefault(key, Rejudged(header, promises))
            mine.take(history, place)
    return list(found.values())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector from walking over millions of objects again and again: none is part of a cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _digest(value: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(value)).digest()


def _patient(said: Iterable[tuple[Waiting, Mapping[str, Verdict]]]) -> list[Mapping[str, Verdict]]:
    """Return what was said of a schedule, but not for want of patience."""
    tries = [*said]
    return [found for waiting, found in tries if not any(other.outlasts(waiting) for other, _ in tries)]


def _best(said: Iterable[Mapping[str, Verdict]], promise: str) -> Verdict:
    """Return the verdict that counts: broken where it was, else that of the attempt that left least unknown."""
    return min(said, key=lambda each: (each[promise].outcome != "broken", unknown(each.values())))[promise]


def _breaches(said: Iterable[Mapping[str, Verdict]], promise: str) -> list[Verdict]:
    return [each[promise] for each in said if each[promise].outcome == "broken"]
