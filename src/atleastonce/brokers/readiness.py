"""Finds out that a broker is ready: asks it again and again until it serves or time is up."""

import time
from collections.abc import Callable

from atleastonce.brokers import kafka_handshake, rabbitmq_handshake
from atleastonce.brokers.broker import RunningBroker
from atleastonce.errors import BrokerError, TransportError

POLL = 0.05  # seconds
WITHIN = 90.0  # seconds: a broker on a machine that is busy with others'


def ready(broker: RunningBroker, logs: Callable[[], str], alive: Callable[[], bool] = lambda: True) -> str:
    """Wait until the broker serves, not only listens, and return the version it reports (may be empty).

    Raises BrokerError with the end of its log if it dies (`alive`) or takes longer than `WITHIN`.
    """
    deadline = time.monotonic() + WITHIN
    while True:
        try:
            return _ask(broker)
        except (OSError, TransportError) as exc:
            if not alive():
                raise BrokerError(_story(broker, "it ended", logs())) from exc
            if time.monotonic() > deadline:
                raise BrokerError(_story(broker, f"not ready after {WITHIN:.0f} s ({exc})", logs())) from exc
        time.sleep(POLL)


def _ask(broker: RunningBroker) -> str:
    if broker.kind == "kafka":
        kafka_handshake.warm_up(broker.host, broker.port)
        return ""  # Kafka tells its release to its log only
    user, _, password = broker.credentials.partition(":")
    if broker.management_port is not None:
        rabbitmq_handshake.management_answers(broker.host, broker.management_port, user, password)
    return rabbitmq_handshake.version(broker.host, broker.port, user, password)


def _story(broker: RunningBroker, found: str, log: str) -> str:
    end = "\n".join(f"  {line}" for line in log.strip().splitlines()[-15:])
    return f"started {broker.title}: {found}; see the end of its log:\n{end or '  (empty)'}"
