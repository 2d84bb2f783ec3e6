"""How soon things are ready: brokers of each provider, the reference services, and the command line."""

import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3
from campus import Queues, Service
from comparing import at_most
from streams import ANALYTICS, Log
from streams import INVENTORY as KAFKA_INVENTORY
from testcontainers.core.config import ConnectionMode, testcontainers_config

from atleastonce.brokers import Kind, ProviderName, open_broker, unavailable
from atleastonce.brokers.docker import image_of
from atleastonce.lifetimes import Lifetime

pytestmark = [pytest.mark.perf, pytest.mark.timeout(600)]

HERE = Path(__file__).parent
ROUNDS = 3
COMMANDS = 10
RABBITMQ = ("order", "inventory", "notification")


def seconds(start: Callable[[], object]) -> float:
    """Return how long something took."""
    began = time.perf_counter()
    start()
    return time.perf_counter() - began


def broker_ready(kind: Kind, provider: ProviderName, lifetime: Lifetime) -> float:
    """Return the seconds until a broker does its work."""
    began = time.perf_counter()
    with open_broker(kind, lifetime, provider=provider):
        return time.perf_counter() - began


def container_ready() -> float:
    """Return the seconds until Testcontainers' own class for RabbitMQ calls it ready."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # at its own decorators
        from testcontainers.rabbitmq import RabbitMqContainer  # noqa: PLC0415 - see above
    testcontainers_config.ryuk_disabled = True
    testcontainers_config.tc_host_override = "127.0.0.1"
    testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    container = RabbitMqContainer(image_of("rabbitmq")).with_kwargs(network="bridge")
    # on the loopback address alone: the pair is docker's own, which the annotation of Testcontainers lacks
    container.ports["5672"] = ("127.0.0.1", None)  # type: ignore[assignment]
    began = time.perf_counter()
    with container:
        return time.perf_counter() - began


@pytest.mark.parametrize("provider", ["docker", "native"])
@pytest.mark.parametrize("kind", ["rabbitmq", "kafka"])
def test_brokers(kind, provider, atleastonce_lifetime, compared):
    """Until it has answered as a broker does; of the four only one has something to be compared with."""
    if (why := unavailable(kind, provider)) is not None:
        pytest.skip(str(why))
    what = f"start: {kind}, {provider}"
    if (kind, provider) == ("rabbitmq", "docker"):
        pairs = [
            (broker_ready(kind, provider, atleastonce_lifetime), container_ready()) for _ in range(ROUNDS)
        ]
        compared.pairs(what, "s", "RabbitMqContainer", pairs)
    else:
        found = sorted(broker_ready(kind, provider, atleastonce_lifetime) for _ in range(ROUNDS))
        compared.figure(what, "s", found[ROUNDS // 2])


class Bare(Service):
    """A Starlette application with one route, served by uvicorn, and nothing behind it."""

    def __init__(self, folder: Path) -> None:
        super().__init__("bare_chain", folder)
        self._command = [sys.executable, str(HERE / "bare_chain.py"), "urllib3", str(self.port)]

    def status(self, path: str = "/order") -> int:
        """Return the status of an order; 0 where nobody answers."""
        try:
            return self.post({}, path=path)[0]
        except urllib3.exceptions.HTTPError:
            return 0


def service_ready(service: Service) -> float:
    """Return the seconds until a service answers that it is healthy."""
    with service:
        return seconds(service.start)


def started(compared, what: str, make: Callable[[Path], Service], folder: Path) -> None:
    """Start a service with a database that is new, and one that does nothing, in turns."""
    pairs = []
    for number in range(ROUNDS):
        own = folder / f"{what.replace(' ', '-')}-{number}"
        own.mkdir()
        pairs.append((service_ready(make(own)), service_ready(Bare(own))))
    compared.pairs(f"start: {what}", "s", "bare Starlette", pairs)


@pytest.mark.parametrize("name", RABBITMQ)
def test_services_on_rabbitmq(name, rabbitmq, compared, tmp_path):
    """Until it is healthy, which it is once it consumes, or could publish."""
    with Queues.fresh(rabbitmq) as queues:
        module = f"campus_food.rabbitmq.{name}"
        started(
            compared, f"{name} on RabbitMQ", lambda at: Service(module, at, AMQP_URL=queues.url), tmp_path
        )


@pytest.mark.parametrize("module", [KAFKA_INVENTORY, ANALYTICS])
def test_services_on_kafka(module, kafka, compared, tmp_path):
    """Until it has its partitions."""

    def make(folder: Path) -> Service:
        log = Log(kafka.url)
        log.create()
        return Service(module, folder, **log.env())

    started(compared, f"{module.rpartition('.')[2]} on Kafka", make, tmp_path)


@pytest.mark.parametrize("name", RABBITMQ)
def test_services_over_http(name, compared, tmp_path):
    """Without a broker; an order service is healthy where those are that it asks, so one is there for both."""
    with Service("campus_food.rest.notification", tmp_path) as asked:
        asked.start()
        env = {"INVENTORY_URL": asked.address, "NOTIFICATION_URL": asked.address}
        module = f"campus_food.rest.{name}"
        started(compared, f"{name} over HTTP", lambda at: Service(module, at, **env), tmp_path)


def test_help(compared):
    """`atleastonce --help`, and the least that any Python program takes."""

    def run(*words: str) -> float:
        return seconds(lambda: subprocess.run(words, stdout=subprocess.DEVNULL, check=True))

    program = str(Path(sys.executable).with_name("atleastonce"))
    run(program, "--help")  # compiles what was changed
    pairs = [(run(program, "--help"), run(sys.executable, "-c", "")) for _ in range(COMMANDS)]
    compared.pairs("atleastonce --help", "s", "python -c ''", pairs, at_most(0.2, figure=True))
