"""The pytest plugin: brokers as fixtures, and contracts to verify inside tests.

`rabbitmq` and `kafka` are running brokers, started at the first use and kept for the session. `subject` verifies
a contract::

    def test_the_service_survives(subject):
        subject("atleastonce.toml").verify().assert_kept()

A broker that nobody can provide skips the test with the command that changes that; under ``CI`` it fails it.
This module is imported by every pytest run that has atleastonce installed: what is heavy is imported late.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from atleastonce.brokers import Broker, Kind, ProviderName
    from atleastonce.campaign import Plan
    from atleastonce.contract import ContractFile
    from atleastonce.findings import Findings, Judged
    from atleastonce.lifetimes import Lifetime
    from atleastonce.schedule import Schedule
    from atleastonce.watching import Watcher


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that says where brokers come from."""
    parser.getgroup("atleastonce").addoption(
        "--atleastonce-provider",
        choices=("auto", "docker", "native"),
        default="auto",
        help="where brokers come from: a Docker engine, local programs, or whichever works (default)",
    )


class Brokers:
    """The brokers of a test session, one per kind and provider, started at the first use."""

    def __init__(self, lifetime: Lifetime) -> None:
        self._lifetime = lifetime
        self._running: dict[tuple[Kind, ProviderName], Broker] = {}
        self._stack = ExitStack()

    def get(self, kind: Kind, provider: ProviderName) -> Broker:
        """Return a running broker; skip the test, or under CI fail it, where nobody can provide one."""
        from atleastonce.brokers import open_broker  # noqa: PLC0415 - see the module's docstring
        from atleastonce.errors import BrokerUnavailable  # noqa: PLC0415

        if (kind, provider) not in self._running:
            try:
                broker = self._stack.enter_context(open_broker(kind, self._lifetime, provider=provider))
            except BrokerUnavailable as exc:
                if os.environ.get("CI"):
                    pytest.fail(f"CI is set, so a missing broker is a failure: {exc}", pytrace=False)
                pytest.skip(str(exc))
            self._running[kind, provider] = broker
        return self._running[kind, provider]

    def close(self) -> None:
        """End every broker."""
        self._stack.close()


class Subject:
    """A service under test, as its contract describes it, on a broker where it needs one."""

    def __init__(
        self, contract: ContractFile, broker: Broker | None, lifetime: Lifetime, stop: threading.Event
    ) -> None:
        self.contract = contract
        self.broker = broker
        self._lifetime = lifetime
        self._stop = stop

    def verify(
        self, plan: Plan | None = None, watcher: Watcher | None = None, histories: Path | None = None
    ) -> Verified:
        """Verify every promise of the contract; raises what `atleastonce verify` reports as an error.

        Histories are kept in a folder, where one is given.
        """
        from atleastonce.campaign import Campaign, Plan  # noqa: PLC0415 - see the module's docstring
        from atleastonce.site import laid_out  # noqa: PLC0415
        from atleastonce.watching import Silent  # noqa: PLC0415

        with laid_out(self.contract, self.broker, self._lifetime, self._stop, histories) as site:
            return Verified(Campaign(site, plan or Plan(), watcher or Silent()).carry_out())

    def replay(self, schedule: Schedule, times: int = 1) -> list[Judged]:
        """Carry out one schedule several times."""
        from atleastonce.campaign import replay  # noqa: PLC0415 - see the module's docstring
        from atleastonce.site import laid_out  # noqa: PLC0415

        with laid_out(self.contract, self.broker, self._lifetime, self._stop) as site:
            return replay(site, schedule, times)


class Verified:
    """What a verification found, with the assertion that most tests want."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def outcome(self, promise: str) -> str:
        """Return kept, broken or unknown."""
        return self.findings.tallies[promise].outcome

    def assert_kept(self) -> None:
        """Fail the test with the counterexamples, unless every promise is kept."""
        __tracebackhide__ = True
        if self.findings.outcome != "kept":
            pytest.fail("\n\n".join(self.accusations()), pytrace=False)

    def accusations(self) -> Iterator[str]:
        """Yield what speaks against every promise that is not kept: the counterexample, or why it is unknown."""
        from atleastonce.faults import RULES  # noqa: PLC0415 - see the module's docstring
        from atleastonce.report.narrative import narrative  # noqa: PLC0415
        from atleastonce.report.telling import of_counterexample  # noqa: PLC0415

        for promise, tally in self.findings.tallies.items():
            if (found := self.findings.counterexample(promise)) is not None:
                yield narrative(of_counterexample(found, RULES))
            elif tally.outcome == "unknown":
                reasons = "; ".join(tally.reasons) or "no schedule gave an occasion"
                yield f"UNKNOWN {promise} · {self.findings.service}: {reasons}"


@pytest.fixture(scope="session")
def atleastonce_lifetime() -> Iterator[Lifetime]:
    """Everything that this test session starts, and nothing of it outlives the session."""
    from atleastonce.lifetimes import Lifetime  # noqa: PLC0415 - see the module's docstring

    with Lifetime() as lifetime:
        yield lifetime


@pytest.fixture(scope="session")
def atleastonce_brokers(atleastonce_lifetime: Lifetime) -> Iterator[Brokers]:
    """Give the brokers of this session by kind and provider."""
    brokers = Brokers(atleastonce_lifetime)
    try:
        yield brokers
    finally:
        brokers.close()


@pytest.fixture
def atleastonce_provider(request: pytest.FixtureRequest) -> Any:
    """Name where brokers come from; override it to run tests on several providers."""
    return request.config.getoption("--atleastonce-provider")


@pytest.fixture
def rabbitmq(atleastonce_brokers: Brokers, atleastonce_provider: ProviderName) -> Broker:
    """Give a running RabbitMQ."""
    return atleastonce_brokers.get("rabbitmq", atleastonce_provider)


@pytest.fixture
def kafka(atleastonce_brokers: Brokers, atleastonce_provider: ProviderName) -> Broker:
    """Give a running Kafka."""
    return atleastonce_brokers.get("kafka", atleastonce_provider)


@pytest.fixture
def subject(
    atleastonce_brokers: Brokers, atleastonce_provider: ProviderName, atleastonce_lifetime: Lifetime
) -> Callable[..., Subject]:
    """Give a function from a contract (a path, or one that was loaded) to the service it describes."""
    import threading  # noqa: PLC0415 - see the module's docstring

    from atleastonce.contract import ContractFile  # noqa: PLC0415
    from atleastonce.contract_file import load  # noqa: PLC0415

    def describe(contract: str | Path | ContractFile) -> Subject:
        loaded = contract if isinstance(contract, ContractFile) else load(Path(contract))
        needed = (atleastonce_brokers.get(kind, atleastonce_provider) for kind in loaded.contract.brokers)
        broker = next(needed, None)
        return Subject(loaded, broker, atleastonce_lifetime, threading.Event())

    return describe
