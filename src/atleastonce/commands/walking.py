"""A walk-through of the reference services, carried out: each step says what should come out and what did."""

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import urllib3
from rich.console import Console

from atleastonce.commands.up_services import Services
from atleastonce.errors import AtLeastOnceError
from atleastonce.observe.http import HttpObserver

WITHIN = 30.0  # seconds for any fact to come true: what a slow machine may need, not what it takes
_GLANCE = 0.05  # seconds between two looks
_TIMEOUT = 10.0  # seconds for an answer

Stock = Mapping[str, int]


@dataclass(frozen=True)
class Check:
    """A fact, as it should be and as it was found; what is found is awaited, so it is the last that was seen."""

    fact: str
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        """Whether it is as it should be."""
        return self.expected == self.found


class Walking:
    """Carries `steps` out on running services that nobody else uses meanwhile."""

    steps: ClassVar[Sequence[tuple[str, Callable[[Any], Iterator[Check]]]]]

    def __init__(self, services: Services, console: Console, within: float = WITHIN) -> None:
        self.services = services
        self.within = within
        self._console = console
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT)
        self._observer = HttpObserver()

    def carry_out(self) -> bool:
        """Show every step; True where all is as expected. The first that is not ends it: others build on it."""
        try:
            for number, (title, step) in enumerate(self.steps, 1):
                self._console.print(f"\n{number}. {title}", style="bold")
                if not self._carried_out(step):
                    self.say(
                        f"\nNot as expected in step {number} of {len(self.steps)}; the rest was not tried."
                    )
                    return False
        finally:
            self._observer.close()
            self._http.clear()
        self.say(f"\nAll {len(self.steps)} steps came out as expected.")
        return True

    def _carried_out(self, step: Callable[[Any], Iterator[Check]]) -> bool:
        try:
            return all(self._shown(check) for check in step(self))
        except AtLeastOnceError as exc:
            return self._shown(Check("this step", "carried out", str(exc)))

    # -- what the steps do

    def post(self, path: str, content: object, key: str = "") -> tuple[str, dict[str, Any], float]:
        """Ask order for something; return the status, or why there is none, the content, and the seconds it took."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}
        address, began = self.services.address("order") + path, time.monotonic()
        try:
            answer = self._http.request("POST", address, body=json.dumps(content).encode(), headers=headers)
            said = json.loads(answer.data)
        except (urllib3.exceptions.HTTPError, ValueError) as exc:
            return f"no answer ({type(exc).__name__}: {exc})", {}, time.monotonic() - began
        return str(answer.status), said, time.monotonic() - began

    def get(self, service: str, path: str) -> Any:
        """Return what a service shows; None where it has nothing to show."""
        return self._observer.get(f"{self.services.address(service)}{path}")

    def stock(self) -> Stock:
        """Return the pieces that are left, by item."""
        found: Stock = self.get("inventory", "/stock")
        return found

    # -- what the steps expect

    def comes(self, fact: str, expected: str, look: Callable[[], str]) -> Check:
        """Look until it is as expected, or the time is over."""
        deadline = time.monotonic() + self.within
        while True:
            try:
                found = look()
            except AtLeastOnceError as exc:
                found = str(exc)
            if found == expected or time.monotonic() > deadline:
                return Check(fact, expected, found)
            time.sleep(_GLANCE)

    def stock_after(self, before: Stock, taken: Stock, when: str = "") -> Check:
        """Expect that these pieces were taken, and no others."""
        after = {item: number - taken.get(item, 0) for item, number in before.items()}
        return self.comes(f"stock{when}", _change(before, after), lambda: _change(before, self.stock()))

    def logged(self, service: str, text: str) -> Check:
        """Expect a text in the log of a service."""
        log, written = self.services.log(service), "written"
        fact = f'log of {service}: "{text}"'
        return self.comes(fact, written, lambda: written if text in log.read_text("utf-8") else "not there")

    def _shown(self, check: Check) -> bool:
        mark, style = ("✓", "green") if check.holds else ("✗", "bold red")
        self._console.print(f"   {mark} ", style=style, end="")
        self.say(f"{check.fact}: expected {check.expected}; found {check.found}")
        return check.holds

    def say(self, text: str) -> None:
        """Print a text as it is."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _change(before: Stock, after: Stock) -> str:
    """Say what differs: `burger 100 → 99`."""
    items = sorted(item for item in before.keys() | after.keys() if before.get(item) != after.get(item))
    return ", ".join(f"{item} {before.get(item)} → {after.get(item)}" for item in items) or "no change"


def together(texts: Sequence[str]) -> str:
    """Say which there are and how often: `2 times 200 success and 1 times 503 None`; one by itself is not counted."""
    counted = Counter(texts).items()
    return " and ".join(f"{number} times {text}" if len(texts) > 1 else text for text, number in counted)
