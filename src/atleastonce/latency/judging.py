"""Judges claims against what was measured: kept, broken or unknown, with the values in the reason."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from atleastonce.latency.claims import (
    COMPARISONS,
    Attempted,
    Backoff,
    Binary,
    Claim,
    Counted,
    Measure,
    Negative,
    Node,
    Number,
    Requests,
    is_time,
)
from atleastonce.latency.samples import Measured
from atleastonce.latency.statistics import Summary, answers, enough_for, percentile, seconds, summary
from atleastonce.verdict import Outcome

_SLACK = 1e-9
"""Seconds: what arithmetic in binary fractions may be off. 0.1 + 0.2 must not break a claim of 0.3."""
TURNS = 30
"""How often a request through a few services waits for its turn: event loop, worker thread and disk of each."""
_COUNTS: Mapping[str, Callable[[Summary], float]] = {
    "min": lambda found: found.min,
    "avg": lambda found: found.avg,
    "mean": lambda found: found.avg,
    "median": lambda found: found.median,
    "max": lambda found: found.max,
    "success": lambda found: found.success,
    "errors": lambda found: found.errors,
    "n": lambda found: found.n,
}


@dataclass(frozen=True, slots=True)
class Band:
    """Where the times of a scenario should lie, in seconds, as far as a claim says so by itself."""

    scenario: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """What was found out about one claim; `reason` is one sentence with what was measured."""

    name: str
    claim: Claim
    outcome: Outcome
    reason: str
    band: Band | None = None


class _Unknown(Exception):  # noqa: N818 - it names what is known of a value: nothing
    """A value that was not measured; the text says why."""


def judge(claims: Mapping[str, Claim], measured: Measured) -> list[ClaimVerdict]:
    """Judge every claim."""
    values = _Values(measured)
    return [_judged(name, claim, values) for name, claim in claims.items()]


def overall(verdicts: Sequence[ClaimVerdict]) -> Outcome:
    """Return what all claims came to: broken if any is, else unknown if any is or there are none, else kept."""
    outcomes = {verdict.outcome for verdict in verdicts} or {"unknown"}
    return "broken" if "broken" in outcomes else "unknown" if "unknown" in outcomes else "kept"


class _Values:
    """The values of everything that claims name."""

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self.summaries = {name: summary(name, measured.of(name)) for name in measured.scenarios}

    def summary(self, scenario: str) -> Summary:
        if scenario not in self.summaries:
            raise _Unknown(f"there are no samples of {scenario}")
        return self.summaries[scenario]

    def measure(self, leaf: Measure) -> float:
        found = self.summary(leaf.scenario)
        if leaf.percent is None:
            return _COUNTS[leaf.what](found)
        ordered = sorted(sample.seconds for sample in self._measured.of(leaf.scenario))
        return percentile(ordered, leaf.percent)

    def late(self, claim: Claim) -> float:
        """Return how late the machine woke threads, at the worst of the scenarios that a claim names."""
        return max((self._measured.late.get(name, 0.0) for name in claim.scenarios), default=0.0)

    def requests(self, claim: Claim) -> float:
        sizes = {name: self.summary(name).n for name in claim.scenarios}
        if len(set(sizes.values())) != 1:
            told = ", ".join(f"{name} has {size}" for name, size in sizes.items())
            raise _Unknown(f"n is not one number ({told} samples); name it like {next(iter(sizes))}.n")
        return next(iter(sizes.values()))

    def attempts(self, claim: Claim, leaf: Attempted) -> tuple[int, int]:
        """Return the least and the most attempts of a request; without a scenario, the most twice."""
        chosen = (leaf.scenario,) if leaf.scenario else claim.scenarios or tuple(self._measured.scenarios)
        if leaf.service not in self._measured.watched:
            raise _Unknown(
                f"attempts of {leaf.service} were not observed, there are samples only"
                if not self._measured.watched
                else f"attempts of {leaf.service} were not observed; services.{leaf.service}.watch counts them"
            )
        counts = [count for name in chosen for count in self._attempts(name, leaf.service)]
        return (min(counts) if leaf.scenario else max(counts)), max(counts)

    def _attempts(self, scenario: str, service: str) -> list[int]:
        wanted, seen = self.summary(scenario).n, self._measured.attempts_of(scenario, service)
        problems = [each.problem for each in seen if each.problem]
        if problems or len(seen) != wanted:
            why = f" ({problems[0]})" if problems else ""
            known = len(seen) - len(problems)
            raise _Unknown(
                f"attempts of {service} were seen for {known} of {wanted} requests of {scenario}{why}"
            )
        return [each.count for each in seen]


def _judged(name: str, claim: Claim, values: _Values) -> ClaimVerdict:
    try:
        sides = [_sides(claim, values, pick) for pick in (0, 1)]
        # A request with the fewest attempts and one with the most must both be as claimed.
        wrong = [each for each in sides if not _holds(claim, *each)]
        reason = _reason(claim, values, (wrong or sides)[0])
        band = _band(claim, values)
    except _Unknown as exc:
        return ClaimVerdict(name, claim, "unknown", str(exc))
    late = values.late(claim)
    if wrong and all(_missed(claim, *each) <= TURNS * late for each in wrong):
        doubt = f"but this machine woke threads {seconds(late)} s late meanwhile, which may be why"
        return ClaimVerdict(name, claim, "unknown", f"{reason}, {doubt}", band)
    return ClaimVerdict(name, claim, "broken" if wrong else "kept", reason, band)


def _missed(claim: Claim, left: float, right: float, tolerance: float) -> float:
    """Return how many seconds a slow machine would have to answer for; infinity where it cannot be to blame."""
    if not (is_time(claim.left) or is_time(claim.right)):
        return math.inf
    longer = isinstance(claim.left, Measure) and claim.relation in (">", ">=")
    if claim.relation in ("==", "!=") or longer:  # it makes times longer, never shorter
        return math.inf
    return abs(left - right) - tolerance


def _sides(claim: Claim, values: _Values, pick: int) -> tuple[float, float, float]:
    tolerance = Number(0.0) if claim.tolerance is None else claim.tolerance
    left, right, off = (_value(side, claim, values, pick) for side in (claim.left, claim.right, tolerance))
    return left, right, off


def _holds(claim: Claim, left: float, right: float, tolerance: float) -> bool:
    if claim.relation == "within":
        return abs(left - right) <= tolerance + _SLACK
    if abs(left - right) <= _SLACK:
        return claim.relation in ("<=", ">=", "==")
    return COMPARISONS[claim.relation](left, right)


def _value(node: Node, claim: Claim, values: _Values, pick: int) -> float:
    """Return the value of a part; `pick` 0 takes the fewest attempts of a request, 1 the most."""
    match node:
        case Number(value=value):
            found = value
        case Backoff():
            found = math.fsum(node.waits)
        case Requests():
            found = values.requests(claim)
        case Measure():
            found = values.measure(node)
        case Counted(scenario=scenario, status=status):
            found = dict(values.summary(scenario).statuses).get(status, 0)
        case Attempted():
            found = values.attempts(claim, node)[pick]
        case Negative(inner=inner):
            found = -_value(inner, claim, values, pick)
        case Binary(operator=operator, left=first, right=second):
            left, right = (_value(side, claim, values, pick) for side in (first, second))
            found = _combined(operator, left, right)
    if not math.isfinite(found):
        raise _Unknown(f"{node} is no number that can be compared")
    return found


def _combined(operator: str, left: float, right: float) -> float:
    if operator == "/":
        if right == 0:
            raise _Unknown("it divides by zero")
        return left / right
    return left + right if operator == "+" else left - right if operator == "-" else left * right


def _band(claim: Claim, values: _Values) -> Band | None:
    """Return where a claim puts ``A.median`` or ``A.median - X``, which is X higher."""
    of: Node = claim.left
    beside = 0.0
    if isinstance(of, Binary) and of.operator == "-":
        beside = _value(of.right, claim, values, 0)
        of = of.left
    if not (isinstance(of, Measure) and of.seconds):
        return None
    _, right, tolerance = _sides(claim, values, 0)
    at = right + beside
    bounds = {"within": (at - tolerance, at + tolerance), "<=": (0.0, at), "<": (0.0, at)}
    bounds |= {">=": (at, math.inf), ">": (at, math.inf)}
    return Band(of.scenario, *bounds[claim.relation]) if claim.relation in bounds else None


# -- the reason


def _reason(claim: Claim, values: _Values, sides: tuple[float, float, float]) -> str:
    """Say what was measured and what was claimed, in one sentence."""
    left, right, tolerance = sides
    time = is_time(claim.left) or is_time(claim.right)
    relation = "" if claim.relation == "==" else f"{claim.relation} "
    claimed = f"{relation}{_shown(right, time=time)}"
    if claim.relation == "within":
        claimed = f"{_shown(right, time=time)} ± {_shown(tolerance, time=time)}"
        if not _holds(claim, *sides):
            claimed += f", {_shown(abs(left - right) - tolerance, time=time)} beyond that"
    facts = "; ".join(
        filter(None, (_parts(claim, values), _numbers(claim, values), _statuses(claim, values)))
    )
    return f"{claim.left} is {_shown(left, time=time)}, claimed {claimed} ({facts})"


def _parts(claim: Claim, values: _Values) -> str:
    """Say the value of every part of a side that has several."""
    told = []
    for leaf in claim.measures:
        if isinstance(leaf, Attempted):
            low, high = values.attempts(claim, leaf)
            if low != high or leaf != claim.left:
                told.append(f"{leaf} {low if low == high else f'{low} to {high}'}")
        elif leaf != claim.left:
            time = isinstance(leaf, Measure) and leaf.seconds
            told.append(f"{leaf} {_shown(_value(leaf, claim, values, 0), time=time)}")
    return ", ".join(told)


def _numbers(claim: Claim, values: _Values) -> str:
    """Say how many samples the claim rests on, and whether they are enough for its percentiles."""
    sizes = {name: values.summary(name).n for name in claim.scenarios}
    if len(set(sizes.values())) <= 1:
        told = "".join(f"n = {size}" for size in set(sizes.values()))
    else:
        told = ", ".join(f"n = {size} of {name}" for name, size in sizes.items())
    for leaf in claim.measures:
        if isinstance(leaf, Measure) and leaf.percent is not None:
            enough = enough_for(leaf.percent)
            if sizes[leaf.scenario] < enough:
                told += f", fewer than the {enough} that {leaf.what} needs"
    return told


def _statuses(claim: Claim, values: _Values) -> str:
    """Say the answers of scenarios whose successes are claimed, or that did not all succeed."""
    told = []
    for name in claim.scenarios:
        found = values.summary(name)
        about = any(
            isinstance(leaf, Counted) or (isinstance(leaf, Measure) and leaf.what in ("success", "errors"))
            for leaf in claim.measures
        )
        if about or found.errors:
            told.append(f"{name} answered {answers(found.statuses)}")
    return ", ".join(told)


def _shown(value: float, *, time: bool) -> str:
    return f"{seconds(value)} s" if time else f"{value:g}" if value == int(value) else f"{value:.3f}"
