"""Fetches what native brokers need and no package brings: ``python -m atleastonce.brokers``."""

import sys

from atleastonce.brokers.native_kafka import prepare
from atleastonce.errors import BrokerError


def main() -> int:
    """Say what is done and return the exit code: 2, with the reason, if it is not possible here."""
    try:
        prepare(_say)
    except BrokerError as exc:
        sys.stderr.write(f"atleastonce: {exc}\n")
        return 2
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
