"""Integration tests run on real brokers, from every provider: containers and local programs."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from campus import Queues, Wire

from atleastonce.brokers import Broker, ProviderName
from atleastonce.commands import postgresql as postgresqls
from atleastonce.contract import ContractFile
from atleastonce.contract_file import load, parse
from atleastonce.lifetimes import Lifetime
from atleastonce.pytest_plugin import Brokers
from campus_food.rabbitmq import topology

ROOT = Path(__file__).parents[2]
SUBJECTS = Path(__file__).parent / "subjects"
CONTRACTS = ROOT / "src" / "campus_food" / "contracts"
OTHER_HALF = (("docker", "classic"), ("native", "quorum"))
"""Of the pairs of provider and type of queue, those that only the thorough run tries."""


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Let what a test starts hear of Ctrl-C: a shell has its background jobs ignore it, and that is inherited."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def atleastonce_provider(request: pytest.FixtureRequest) -> ProviderName:
    """Say where the brokers of a test come from."""
    provider: ProviderName = request.param
    return provider


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once per provider, or with those that its mark names: what takes long shows the same on any."""
    given = any(
        "atleastonce_provider" in each.args[0] for each in metafunc.definition.iter_markers("parametrize")
    )
    if "atleastonce_provider" in metafunc.fixturenames and not given:
        named = metafunc.definition.get_closest_marker("provider")
        providers = named.args if named else ("docker", "native")
        metafunc.parametrize("atleastonce_provider", providers, indirect=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave two of four to the thorough run, where a test is run on both providers and on both types of queue."""
    for item in items:
        case = getattr(item, "callspec", None)
        if case is None or item.get_closest_marker("provider") is not None:
            continue
        if (case.params.get("atleastonce_provider"), case.params.get("queue_type")) in OTHER_HALF:
            item.add_marker(pytest.mark.thorough)


@pytest.fixture
def atleastonce_brokers(
    request: pytest.FixtureRequest, atleastonce_lifetime: Lifetime, atleastonce_brokers: Brokers
) -> Iterator[Brokers]:
    """Give the brokers of the session, or brokers of its own to a test that restarts them.

    RabbitMQ 3.10, and 4.0 in a container, now and then refuse new quorum queues after a restart (541, INTERNAL_ERROR).
    """
    if request.node.get_closest_marker("restarts_broker") is None:
        yield atleastonce_brokers
        return
    own = Brokers(atleastonce_lifetime)
    try:
        yield own
    finally:
        own.close()


@pytest.fixture
def campus() -> Callable[..., ContractFile]:
    """Give the contract of a reference service, or of a mutant in its place, for a type of queue."""

    def contract(broker: str, module: str = "", queue_type: str = "quorum") -> ContractFile:
        found = load(CONTRACTS / f"{broker}.toml")
        reference = f"campus_food.{broker}.inventory"
        text = found.text.replace(reference, module or reference)
        text = text.replace('queue_type = "quorum"', f'queue_type = "{queue_type}"')
        return msgspec.structs.replace(found, text=text, contract=parse(text))

    return contract


@pytest.fixture
def filled(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that fills in a contract for a script among the subjects, and returns where it is."""

    def written(template: str, script: str, **values: str) -> Path:
        path = tmp_path / "atleastonce.toml"
        path.write_text(template.format(python=sys.executable, script=SUBJECTS / script, **values))
        return path

    return written


@pytest.fixture(scope="session")
def postgresql(atleastonce_lifetime: Lifetime) -> Iterator[postgresqls.PostgreSQL]:
    """Run a PostgreSQL of our own; skip where there is none."""
    if postgresqls.programs() is None:
        if os.environ.get("CI"):
            pytest.fail(
                f"CI is set, so a missing database is a failure: {postgresqls.MISSING}", pytrace=False
            )
        pytest.skip(postgresqls.MISSING)
    with postgresqls.opened(atleastonce_lifetime) as server:
        yield server


@pytest.fixture(scope="module", params=topology.QUEUE_TYPES)
def queue_type(request: pytest.FixtureRequest) -> str:
    """Run every test that asks for it on both types of queue."""
    return str(request.param)


@pytest.fixture
def queues(rabbitmq: Broker) -> Iterator[Queues]:
    """Open a channel to queues that are not there yet."""
    with Queues.fresh(rabbitmq) as queues:
        yield queues


@pytest.fixture
def wire(queues: Queues) -> Iterator[Wire]:
    """Lay a wire to the broker."""
    with Wire(queues.url) as wire:
        yield wire


@pytest.fixture
def no_stop() -> threading.Event:
    """Give the event that would ask a run to stop, unset."""
    return threading.Event()
