"""The language of claims: a tokeniser and a recursive descent, from a text to frozen data; nothing is evaluated.

::

    claim    = sum (COMPARE sum | "within" sum ("±" | "+-" | "+/-") sum)
    COMPARE  = "<=" | "<" | ">=" | ">" | "==" | "!="
    sum      = product {("+" | "-") product}
    product  = factor {("*" | "/") factor}
    factor   = "-" factor | "(" sum ")" | NUMBER ["ms" | "s"] | "n"
             | SCENARIO "." MEASURE | SCENARIO "." "count" "(" STATUS ")" | SCENARIO "." "attempts" "(" SERVICE ")"
             | "attempts" "(" SERVICE ")" | "backoff" "(" TIMES "," FIRST ["," FACTOR] ")"
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from atleastonce.conversion import near
from atleastonce.errors import ClaimError
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
)

MEASURES = ("min", "avg", "mean", "median", "max", "success", "errors", "n")
"""What is known of a scenario by name; beside these pNN, like p50 or p95, is a percentile."""
_PERCENTILE = re.compile(r"p(\d{1,2}(?:_\d+)?|100)")
_CALLS = ("count(STATUS)", "attempts(SERVICE)")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?(?:ms\b|s\b)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<mark><=|>=|==|!=|\+/-|\+-|[<>±+\-*/().,])|(?P<wrong>\S))",
    re.ASCII,
)
_LONGEST = 500  # letters: what is longer was not written by a person
_DEEPEST = 40  # brackets and minuses inside each other
_GREATEST = 1e9
_MOST_BACKOFFS = 100


@dataclass(frozen=True, slots=True)
class Known:
    """What a claim may name."""

    scenarios: Collection[str]
    services: Collection[str]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse_claim(text: str, known: Known) -> Claim:
    """Parse a claim; raise ClaimError, with the position, for anything that is none."""
    if len(text) > _LONGEST:
        raise ClaimError(f"found a claim of {len(text)} letters, expected {_LONGEST} at the most")
    return _Parser(text, known).claim()


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while match := _TOKEN.match(text, at):
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


class _Parser:
    """One claim while it is read."""

    def __init__(self, text: str, known: Known) -> None:
        self._text = text
        self._known = known
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def claim(self) -> Claim:
        left = self._sum()
        relation = self._take_any(*COMPARISONS, "within")
        if relation is None:
            raise self._wrong(f"one of {' '.join(COMPARISONS)} or within")
        right, tolerance = self._sum(), None
        if relation.text == "within":
            if self._take_any("±", "+-", "+/-") is None:
                raise self._wrong("± (or +-) and how far off it may be")
            tolerance = self._sum()
        if self._now.kind != "end":
            raise self._wrong("the end of the claim")
        claim = Claim(self._text, left, relation.text, right, tolerance)
        if any(isinstance(leaf, Requests) for leaf in claim.leaves) and not claim.scenarios:
            raise ClaimError("n is the number of requests of a scenario, and the claim names none")
        if not claim.measures:
            raise ClaimError("found nothing that is measured; name a scenario, like baseline.median")
        return claim

    # -- what it is made of

    def _sum(self) -> Node:
        return self._chain(self._product, "+", "-")

    def _product(self) -> Node:
        return self._chain(self._factor, "*", "/")

    def _chain(self, part: Callable[[], Node], *operators: str) -> Node:
        """Read parts with operators between them, from the left."""
        left = part()
        while operator := self._take_any(*operators):
            left = Binary(operator.text, left, part())
        return left

    def _factor(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(f"no more than {_DEEPEST} brackets inside each other")
        try:
            if self._take_any("-"):
                return Negative(self._factor())
            if self._take_any("("):
                inner = self._sum()
                self._expect(")")
                return inner
            if self._now.kind == "number":
                return self._number()
            return self._named()
        finally:
            self._depth -= 1

    def _number(self) -> Number:
        token = self._now
        if token.kind != "number":
            raise self._wrong("a number")
        self._next += 1
        digits = token.text.rstrip("ms")
        unit = token.text[len(digits) :]
        value = float(digits) / (1000 if unit == "ms" else 1)
        if value > _GREATEST:
            raise self._wrong(f"a number of at most {_GREATEST:.0f}", token)
        return Number(value, seconds=bool(unit))

    def _named(self) -> Node:
        token = self._now
        if token.kind != "name" or token.text == "within":
            raise self._wrong("a number, SCENARIO.MEASURE, attempts(…), backoff(…) or n")
        self._next += 1
        if self._take_any("."):
            return self._of_scenario(token)
        if token.text == "n":
            return Requests()
        if token.text == "attempts":
            return Attempted(None, self._service())
        if token.text == "backoff":
            return self._backoff()
        if token.text in self._known.scenarios:
            raise self._wrong(f"a dot and what of it: {', '.join((*MEASURES, 'pNN', *_CALLS))}")
        raise self._unknown(token, ("attempts", "backoff", "n", *self._known.scenarios))

    def _of_scenario(self, scenario: _Token) -> Node:
        if scenario.text not in self._known.scenarios:
            raise self._unknown(scenario, self._known.scenarios, "scenario")
        token = self._now
        self._next += 1
        if token.text == "attempts":
            return Attempted(scenario.text, self._service())
        if token.text == "count":
            return self._count(scenario.text)
        if token.kind != "name" or not (token.text in MEASURES or _PERCENTILE.fullmatch(token.text)):
            raise self._unknown(token, (*MEASURES, "p50", "p95", *_CALLS), "measure")
        return Measure(scenario.text, token.text)

    def _service(self) -> str:
        self._expect("(")
        token = self._now
        if token.text not in self._known.services:
            raise self._unknown(token, self._known.services, "service")
        self._next += 1
        self._expect(")")
        return token.text

    def _count(self, scenario: str) -> Counted:
        self._expect("(")
        token = self._now
        if not re.fullmatch(r"0|[1-5]\d\d", token.text, re.ASCII):
            raise self._wrong("an HTTP status, or 0 for no answer")
        self._next += 1
        self._expect(")")
        return Counted(scenario, int(token.text))

    def _backoff(self) -> Backoff:
        self._expect("(")
        token = self._now
        times = self._number()
        if times.seconds or times.value != int(times.value) or times.value > _MOST_BACKOFFS:
            raise self._wrong(f"how often it waits, a whole number up to {_MOST_BACKOFFS}", token)
        self._expect(",")
        first, factor = self._number(), Number(2.0)
        if self._take_any(","):
            token = self._now
            factor = self._number()
            if factor.seconds or factor.value > _MOST_BACKOFFS:
                raise self._wrong(f"by what each wait grows, a number up to {_MOST_BACKOFFS}", token)
        self._expect(")")
        return Backoff(int(times.value), first.value, factor.value)

    # -- tokens

    @property
    def _now(self) -> _Token:
        return self._tokens[self._next]

    def _take_any(self, *texts: str) -> _Token | None:
        token = self._now
        if token.text not in texts:
            return None
        self._next += 1
        return token

    def _expect(self, mark: str) -> None:
        if self._take_any(mark) is None:
            raise self._wrong(mark)

    def _wrong(self, expected: str, token: _Token | None = None) -> ClaimError:
        token = token or self._now
        found = f'"{token.text}"' if token.text else "the end"
        return ClaimError(f"{self._text!r}, at {token.at + 1}: found {found}, expected {expected}")

    def _unknown(self, token: _Token, known: Collection[str], kind: str = "name") -> ClaimError:
        found = f'"{token.text}"' if token.text else "the end"
        what = f"there is no such {kind}{near(token.text, known)}"
        return ClaimError(f"{self._text!r}, at {token.at + 1}: found {found}; {what}")
