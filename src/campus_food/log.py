"""Logs, one JSON object a line on standard error, with `order_id` and `message_id` where there is one.

On the standard library alone: structlog imports rich where that is installed, and would add a quarter to the
start-up time of services that are started thousands of times.
"""

import json
import logging
import sys
from datetime import UTC, datetime

FIELDS = ("order_id", "message_id", "reason")


class JsonLines(logging.Formatter):
    """Render a record, with those of `FIELDS` that came in `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line; a traceback, where there is one, is inside as text."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        entry |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def configure(level: str = "INFO") -> None:
    """Send every log of this process, from a level on, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    # Not for `campus_food` alone: the module that is run with `python -m` logs as `__main__`.
    logging.basicConfig(handlers=[handler], level=level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # pika reports each lost connection at length; ours says it in a line, with what is done about it.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
