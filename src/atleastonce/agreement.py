"""Tells whether two clean runs agree: where they do not, what is seen proves nothing (DESIGN section 4, rule 1)."""

from collections.abc import Iterable, Sequence

from atleastonce.effects import address, touched, unstable
from atleastonce.history import Observation

_SHOWN = 3
_DIFFER, _MOVING = "two clean runs differ", "a clean run never stood still"
RESTLESS = (_DIFFER, _MOVING)
"""How the reason begins why what was seen proves nothing."""
_COMES_OUT = ("outputs of ", "what comes out")
"""How a place begins that is no path in what is observed."""
_BATCHED = (
    "see observe.ignore; where an output tells of several messages, which come together is chance: leave it out of "
    "output, and observe the effects otherwise"
)


def grew(first: Observation, second: Observation, ignore: Iterable[str]) -> bool:
    """Tell whether two clean runs differ only by what the first one made, and what stays as it is from then on.

    So does a table with a row per product: the first order of one makes its row, and later ones change it. So does a
    record with a field that is always the same, where other fields of it change in both.
    """
    made = first.values.keys() - second.values.keys()
    lists = [path for path in made if "added" in first.values[path]]
    changed = {address(path) for path in second.values}
    fields = () if _gone(first, second) else {path for path in made if address(path) in changed}
    differing = unstable(first, second, ignore)
    return bool(differing) and all(
        where in fields or any(where == path or where.startswith(f"{path}[") for path in lists)
        for where in differing
    )


def _gone(first: Observation, second: Observation) -> list[str]:
    """Return the messages of which the second shows nothing."""
    return sorted(filter(None, touched(first) - touched(second)))


def _some(paths: Sequence[str]) -> str:
    """Name the first few of these, and how many more there are."""
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more


def restless(first: Observation, second: Observation, ignore: Iterable[str]) -> str:
    """Say where two clean runs differ, or never stood still, and what to do; empty where they did not."""
    moving = tuple(dict.fromkeys((*first.moving, *second.moving)))
    paths = moving or unstable(first, second, ignore)
    if not paths:
        return ""
    out = [path for path in paths if path.startswith(_COMES_OUT)]
    within = [path for path in paths if not path.startswith(_COMES_OUT)]
    shown = ", and ".join(filter(None, (_some(within), _some(out))))
    gone = () if moving else _gone(first, second)
    advice = (
        f"the second, behind a restart and in reverse order, shows nothing of {', '.join(gone)}: is that lost, or has "
        "a later one overwritten it?"
        if gone
        else _BATCHED
        if out
        else "see observe.ignore"
        if moving
        else "see observe.ignore, or, where it only comes late, observe.settles"
    )
    return f"{_MOVING if moving else _DIFFER}, so these prove nothing: {shown}; {advice}"
