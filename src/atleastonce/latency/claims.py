"""A claim as frozen data: two sums and how they are related; each part can say itself as a person wrote it."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_TIMES = ("min", "avg", "mean", "median", "max")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stands there; `seconds` where a unit was written."""

    value: float
    seconds: bool = False

    def __str__(self) -> str:
        return f"{self.value:g} s" if self.seconds else f"{self.value:g}"


@dataclass(frozen=True, slots=True)
class Requests:
    """``n``: how many requests the scenarios of the claim have."""

    def __str__(self) -> str:
        return "n"


@dataclass(frozen=True, slots=True)
class Measure:
    """``baseline.median``: a statistic of a scenario."""

    scenario: str
    what: str

    @property
    def percent(self) -> float | None:
        """Which percentile it is, if it is one: 95 of ``p95``, 99.9 of ``p99_9``."""
        return float(self.what[1:].replace("_", ".")) if self.what[0] == "p" else None

    @property
    def seconds(self) -> bool:
        """Whether it is a time."""
        return self.what in _TIMES or self.percent is not None

    def __str__(self) -> str:
        return f"{self.scenario}.{self.what}"


@dataclass(frozen=True, slots=True)
class Counted:
    """``failure.count(502)``: how many answers had a status."""

    scenario: str
    status: int

    def __str__(self) -> str:
        return f"{self.scenario}.count({self.status})"


@dataclass(frozen=True, slots=True)
class Attempted:
    """``failure.attempts(inventory)``: what each request caused; without a scenario, the most that any did."""

    scenario: str | None
    service: str

    def __str__(self) -> str:
        return f"{self.scenario + '.' if self.scenario else ''}attempts({self.service})"


@dataclass(frozen=True, slots=True)
class Backoff:
    """``backoff(2, 0.5)``: the sum of so many waits, the first so long, each twice as long as the last."""

    times: int
    first: float
    factor: float = 2.0

    @property
    def waits(self) -> tuple[float, ...]:
        """Each wait, in seconds."""
        return tuple(self.first * self.factor**number for number in range(self.times))

    def __str__(self) -> str:
        more = "" if self.factor == 2 else f", {self.factor:g}"  # noqa: PLR2004 - the usual factor
        return f"backoff({self.times}, {self.first:g}{more})"


@dataclass(frozen=True, slots=True)
class Negative:
    """A minus before something."""

    inner: "Node"

    def __str__(self) -> str:
        return f"-{_bracketed(self.inner)}"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two parts with ``+``, ``-``, ``*`` or ``/`` between them."""

    operator: str
    left: "Node"
    right: "Node"

    def __str__(self) -> str:
        plain = self.operator == "+" or (self.operator == "-" and not isinstance(self.right, Binary))
        left, right = (self.left, self.right) if plain else map(_bracketed, (self.left, self.right))
        return f"{left} {self.operator} {right}"


Leaf: TypeAlias = Number | Requests | Measure | Counted | Attempted | Backoff
Node: TypeAlias = Leaf | Negative | Binary


@dataclass(frozen=True, slots=True)
class Claim:
    """``left relation right``; `tolerance` is there where the relation is ``within``."""

    text: str
    left: Node
    relation: str
    right: Node
    tolerance: Node | None = None

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Everything in it that has no parts, from left to right."""
        parts = (self.left, self.right, *([self.tolerance] if self.tolerance is not None else []))
        return tuple(leaf for part in parts for leaf in leaves(part))

    @property
    def measures(self) -> tuple[Leaf, ...]:
        """What of it is measured, each once."""
        found = (leaf for leaf in self.leaves if not isinstance(leaf, Number | Requests | Backoff))
        return tuple(dict.fromkeys(found))

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios that it names, each once."""
        return tuple(
            dict.fromkeys(
                leaf.scenario
                for leaf in self.leaves
                if isinstance(leaf, Measure | Counted | Attempted) and leaf.scenario is not None
            )
        )


def leaves(node: Node) -> Iterator[Leaf]:
    """Yield everything in a node that has no parts, from left to right."""
    if isinstance(node, Binary):
        yield from leaves(node.left)
        yield from leaves(node.right)
    elif isinstance(node, Negative):
        yield from leaves(node.inner)
    else:
        yield node


def is_time(node: Node) -> bool:
    """Tell whether a value is in seconds: something in it is."""
    return any(
        isinstance(leaf, Backoff) or (isinstance(leaf, Measure | Number) and leaf.seconds)
        for leaf in leaves(node)
    )


def _bracketed(node: Node) -> str:
    return f"({node})" if isinstance(node, Binary) else str(node)
