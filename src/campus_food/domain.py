"""The business rules, pure: what is on the menu, and whether stock is enough for an order."""

from collections.abc import Mapping
from dataclasses import dataclass

OPENING_STOCK: Mapping[str, int] = {"burger": 100, "fries": 200, "pizza": 50, "soda": 150, "salad": 75}


@dataclass(frozen=True, slots=True)
class Reserved:
    """The order is granted whole; `left` is what remains of each item that it names."""

    left: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Refused:
    """The order gets nothing; `reason` is for the person who ordered."""

    reason: str


def reserve(stock: Mapping[str, int], items: Mapping[str, int]) -> Reserved | Refused:
    """Decide one order, all or nothing.

    `stock` and `items` are pieces by item name; quantities in `items` are 1 or more. An item that `stock`
    does not name is unknown. Nothing is changed here: the caller stores what is left.
    """
    unknown = items.keys() - stock.keys()
    if unknown:
        return Refused(f"unknown item: {', '.join(sorted(unknown))}")
    left = {name: stock[name] - quantity for name, quantity in items.items()}
    short = [name for name, quantity in left.items() if quantity < 0]
    if short:
        return Refused(f"too little stock: {', '.join(sorted(short))}")
    return Reserved(left)
