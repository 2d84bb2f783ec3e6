"""The metrics report: the text that users know, and canonical JSON with its digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any


@dataclass(frozen=True, slots=True)
class Report:
    """The figures at one moment of the log; `by_minute` is in the order of time, its last minute the current one."""

    total: int
    failed: int
    by_minute: Mapping[str, int]

    @property
    def failure_rate(self) -> float:
        """Failed orders, in percent of all."""
        return _tenths(100 * self.failed, self.total)

    @property
    def average(self) -> float:
        """Orders per minute, over the minutes that have orders."""
        return _tenths(self.total, len(self.by_minute))

    @property
    def current(self) -> int:
        """Orders in the minute of the latest event."""
        return list(self.by_minute.values())[-1] if self.by_minute else 0

    @property
    def figures(self) -> dict[str, Any]:
        """Everything, by name."""
        return {
            "total_orders": self.total,
            "failed_orders": self.failed,
            "failure_rate_percent": self.failure_rate,
            "average_orders_per_minute": self.average,
            "current_orders_per_minute": self.current,
            "orders_by_minute": dict(self.by_minute),
        }

    @property
    def canonical(self) -> str:
        """The one JSON text for these figures."""
        return json.dumps(self.figures, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """What tells two reports apart."""
        return "sha256:" + hashlib.sha256(self.canonical.encode()).hexdigest()

    @property
    def text(self) -> str:
        """The report as users know it."""
        lines = [
            "ANALYTICS METRICS REPORT",
            f"Total Orders: {self.total}",
            f"Failed Orders: {self.failed}",
            f"Failure Rate: {self.failure_rate}%",
            f"Average Orders per Minute: {self.average}",
            f"Current Orders per Minute: {self.current}",
            "Orders by Minute:",
        ]
        return "\n".join(
            lines + [f"  {minute}: {number} orders" for minute, number in self.by_minute.items()]
        )


def side_by_side(left: Report, right: Report, titles: tuple[str, str]) -> str:
    """Return two reports beside each other, with their digests, and a mark where lines differ."""
    lines = zip_longest(left.text.splitlines(), right.text.splitlines(), fillvalue="")
    rows = [*lines, (left.digest, right.digest)]
    width = max(len(line) for line, _ in rows)
    marked = [f"{a:<{width}}  {' ' if a == b else '≠'}  {b}" for a, b in rows]
    return "\n".join([f"{titles[0]:<{width}}     {titles[1]}", *marked])


def _tenths(number: int, of: int) -> float:
    """Return the quotient with one decimal, by whole numbers: half a tenth goes up, on every machine."""
    return (20 * number + of) // (2 * of) / 10 if of else 0.0
