"""Who is chosen to provide a broker, and what a reader is told where nobody can."""

from pathlib import Path
from typing import Any

import pytest

from atleastonce.brokers import Kind, choice, native_rabbitmq, open_broker, unavailable
from atleastonce.brokers.external import parse
from atleastonce.brokers.kafka_jars import installed
from atleastonce.errors import BrokerUnavailable, UsageError
from atleastonce.lifetimes import Lifetime


def refuse(*_: object) -> None:
    """Be a provider that cannot."""
    raise BrokerUnavailable("found none; install it with `apt-get install it`")


def agree(*_: object) -> None:
    """Be a provider that can."""


@pytest.mark.parametrize(
    ("docker", "native", "chosen"),
    [(agree, agree, "docker"), (agree, refuse, "docker"), (refuse, agree, "native")],
)
def test_auto_takes_the_first_that_can(
    docker: Any, native: Any, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker goes before native; the reason against docker is told with the choice."""
    monkeypatch.setattr(choice, "_check_docker", docker)
    monkeypatch.setattr(choice, "_NATIVE_CHECKS", {"kafka": native})
    provider, reason = choice._choose("kafka", "auto", None, lambda _: None)
    assert provider == chosen
    assert ("found none" in reason) == (docker is refuse)


def test_where_nobody_can_both_remedies_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is what a test is skipped with: it must say what to do."""
    monkeypatch.setattr(choice, "_check_docker", refuse)
    monkeypatch.setattr(choice, "_NATIVE_CHECKS", {"rabbitmq": refuse})
    missing = unavailable("rabbitmq", "auto")
    assert str(missing).count("apt-get install it") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"provider": "podman"}, "providers auto, docker, native, external"),
        ({"provider": "external"}, "no address was given"),
        ({"provider": "native", "url": "127.0.0.1:1"}, "an address was given too"),
        ({"url": "amqp://localhost"}, "write it as host:9092"),
    ],
)
def test_a_wrong_call_is_told(options: dict[str, Any], message: str) -> None:
    """Nothing is started for a call that cannot be meant."""
    with pytest.raises(UsageError, match=message), open_broker("kafka", Lifetime(), **options):
        pass


@pytest.mark.parametrize(
    ("kind", "url", "host", "port", "shown"),
    [
        ("rabbitmq", "amqp://u:p%40@h:1/vh", "h", 1, "amqp://u:p%40@h:1"),
        ("rabbitmq", "amqp://h", "h", 5672, "amqp://guest:guest@h:5672"),
        ("kafka", "h:1", "h", 1, "h:1"),
        ("kafka", "h1:1,h2:2", "h1", 1, "h1:1,h2:2"),
    ],
)
def test_addresses_of_external_brokers(kind: Kind, url: str, host: str, port: int, shown: str) -> None:
    """Host and port are read; what is shown has no virtual host, and keeps all of Kafka's addresses."""
    broker = parse(kind, url)
    assert (broker.host, broker.port, broker.url) == (host, port, shown)


def test_nobody_at_the_address() -> None:
    """An external broker that does not answer is unavailable, in one sentence."""
    with (
        pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"),
        open_broker("kafka", Lifetime(), url="127.0.0.1:1"),
    ):
        pass


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without jars or programs the command that installs them is named."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(native_rabbitmq, "_ELSEWHERE", str(tmp_path))
    with pytest.raises(BrokerUnavailable, match=r"install it with `apt-get install .*jre"):
        installed()
    with pytest.raises(BrokerUnavailable, match=r"install it with `apt-get install .*rabbitmq-server"):
        native_rabbitmq.home()
