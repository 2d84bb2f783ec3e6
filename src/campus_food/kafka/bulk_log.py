"""Log lines by the thousand: the form of `campus_food.log`, written at once for a whole batch."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

_encoder = msgspec.json.Encoder()


class _Line(msgspec.Struct, gc=False):
    """One line, with the names of `campus_food.log`."""

    time: str
    event: str
    order_id: str
    level: str = "info"


def write(lines: Iterable[tuple[str, str]]) -> None:
    """Write pairs of what happened and the order's id, as lines at the level of information.

    The logging module takes ten microseconds a line, which is as much as the handling of an order.
    """
    now = datetime.now(UTC).isoformat()
    entries = [_Line(now, event, order_id) for event, order_id in lines]
    sys.stderr.write(_encoder.encode_lines(entries).decode())
    sys.stderr.flush()
