"""Reads what a service tells of the attempts of one request, from JSON in one of a few plain forms."""

from collections.abc import Mapping
from typing import Any

from atleastonce.conversion import shown
from atleastonce.errors import ObservationError
from atleastonce.latency.samples import Attempt, Attempts, Sample

KEY = "attempts"
_MOST = 10_000


def read_attempts(found: Any, sample: Sample, service: str) -> Attempts:
    """Return attempts from ``3``, a list with one entry for each, ``{"attempts": …}``, or None for none.

    An entry that is an object may tell ``began``, ``ended`` (numbers: seconds of one clock) and ``status``.
    Whichever clock that is, its zero is put where the first attempt began. Raises ObservationError for anything else.
    """
    told = found[KEY] if isinstance(found, Mapping) and KEY in found else found
    if told is None:
        return Attempts(sample.scenario, sample.request, service)
    if isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= _MOST:
        return Attempts(sample.scenario, sample.request, service, told)
    if isinstance(told, list) and len(told) <= _MOST:
        return Attempts(
            sample.scenario, sample.request, service, len(told), _from_zero([_attempt(each) for each in told])
        )
    raise ObservationError(
        f'attempts of {service}: found {shown(found)}, expected a number, a list, or {{"{KEY}": …}} with one'
    )


def _attempt(entry: Any) -> Attempt:
    if not isinstance(entry, Mapping):
        return Attempt()
    began, ended, status = (entry.get(key) for key in ("began", "ended", "status"))
    return Attempt(
        began=_seconds(began), ended=_seconds(ended), status=status if isinstance(status, int) else None
    )


def _from_zero(attempts: list[Attempt]) -> tuple[Attempt, ...]:
    zero = min((each.began for each in attempts if each.began is not None), default=0.0)
    return tuple(
        Attempt(
            None if each.began is None else each.began - zero,
            None if each.ended is None else each.ended - zero,
            each.status,
        )
        for each in attempts
    )


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
