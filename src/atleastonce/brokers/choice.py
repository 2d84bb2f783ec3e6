"""Chooses who provides a broker, opens it, and says why it was that one."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Protocol, get_args

from atleastonce.brokers import kafka_jars, native_kafka, native_rabbitmq
from atleastonce.brokers.broker import TITLES, Broker, Kind, ProviderName, Say
from atleastonce.brokers.external import open_external
from atleastonce.errors import BrokerUnavailable, UsageError
from atleastonce.lifetimes import Lifetime


class Opened(Broker, Protocol):
    """A broker that can still be told why it was chosen."""

    reason: str


Opening = contextlib.AbstractContextManager[Opened]

_NATIVE_CHECKS: Mapping[Kind, Callable[[], object]] = {
    "rabbitmq": native_rabbitmq.check,
    "kafka": kafka_jars.installed,
}
_NATIVE: Mapping[Kind, Callable[[Lifetime], Opening]] = {
    "rabbitmq": native_rabbitmq.open_native_rabbitmq,
    "kafka": native_kafka.open_native_kafka,
}
_PATIENT = 600.0  # seconds for the pull of an image where nothing else will do
_IMPATIENT = 30.0  # seconds where a native broker stands ready


def _quiet(_: str) -> None:
    """Say nothing."""


def unavailable(kind: Kind, provider: ProviderName, say: Say = _quiet) -> BrokerUnavailable | None:
    """Return why this provider cannot give such a broker here, with the command that helps; else None.

    Tests skip, or under CI fail, with that message. An image that is missing is pulled, which takes minutes.
    """
    try:
        _choose(kind, provider, None, say)
    except BrokerUnavailable as exc:
        return exc
    return None


@contextlib.contextmanager
def open_broker(
    kind: Kind,
    lifetime: Lifetime,
    *,
    provider: ProviderName = "auto",
    url: str | None = None,
    management_url: str | None = None,
    say: Say = _quiet,
) -> Iterator[Broker]:
    """Start or reach a broker, which ends with the `with` block; `say` is told what goes on.

    Raises BrokerUnavailable, with the command that helps, where there can be none; BrokerError if one that
    should start does not; UsageError for an unknown name or an address that is none.
    """
    chosen, reason = _choose(kind, provider, url, say)
    say(f"{TITLES[kind]}: {reason}")
    with _opened(kind, chosen, lifetime, url or "", management_url) as broker:
        broker.reason = reason
        say(f"{TITLES[kind]} {broker.version} is ready at {broker.host}:{broker.port}")
        yield broker


@contextlib.contextmanager
def open_brokers(
    kinds: Sequence[Kind],
    lifetime: Lifetime,
    *,
    provider: ProviderName = "auto",
    say: Say = _quiet,
) -> Iterator[dict[Kind, Broker]]:
    """Start brokers side by side: all take no longer than the slowest; see `open_broker`."""
    stacks = {kind: contextlib.ExitStack() for kind in kinds}

    def start(kind: Kind) -> Broker:
        return stacks[kind].enter_context(open_broker(kind, lifetime, provider=provider, say=say))

    with ThreadPoolExecutor(max(1, len(kinds))) as pool:
        starts: list[Future[Broker]] = []
        try:
            starts = [pool.submit(start, kind) for kind in kinds]
            yield {kind: started.result() for kind, started in zip(kinds, starts, strict=True)}
        finally:
            wait(starts)  # one that failed must not leave the other behind, half started
            for closed in [pool.submit(stack.close) for stack in stacks.values()]:
                closed.result()


def _choose(kind: Kind, provider: ProviderName, url: str | None, say: Say) -> tuple[ProviderName, str]:
    if kind not in get_args(Kind) or provider not in get_args(ProviderName):
        known = ", ".join(get_args(Kind)), ", ".join(get_args(ProviderName))
        raise UsageError(
            f"was to open {kind!r} by {provider!r}: known brokers are {known[0]}; providers {known[1]}"
        )
    if provider == "external" or (provider == "auto" and url is not None):
        if url is None:
            raise UsageError(f"was to reach an external {TITLES[kind]}: no address was given; give one")
        return "external", "external: an address was given"
    if url is not None:
        raise UsageError(
            f"was to start a {provider} {TITLES[kind]}: an address was given too; leave one of them out"
        )
    if provider == "native":
        _NATIVE_CHECKS[kind]()
        return "native", "native: asked for"
    if provider == "docker":
        _check_docker(kind, _PATIENT, say)
        return "docker", "docker: asked for"
    return _automatic(kind, say)


def _automatic(kind: Kind, say: Say) -> tuple[ProviderName, str]:
    no_native = _refusal(_NATIVE_CHECKS[kind])
    no_docker = _refusal(lambda: _check_docker(kind, _PATIENT if no_native else _IMPATIENT, say))
    if no_docker is None:
        return "docker", "docker: an engine answers and has the image"
    if no_native is None:
        return "native", f"native: its programs are installed, and docker is no choice ({no_docker})"
    raise BrokerUnavailable(
        f"was to start a {TITLES[kind]}: no provider can. docker: {no_docker}. native: {no_native}. "
        "Do one of the two, or give the address of a broker that is there"
    )


def _refusal(check: Callable[[], object]) -> BrokerUnavailable | None:
    try:
        check()
    except BrokerUnavailable as exc:
        return exc
    return None


def _check_docker(kind: Kind, pull_within: float, say: Say) -> None:
    from atleastonce.brokers import docker  # noqa: PLC0415 - testcontainers is heavy, and `--help` imports this

    docker.check(kind, pull_within, say)


def _opened(
    kind: Kind, provider: ProviderName, lifetime: Lifetime, url: str, management: str | None
) -> Opening:
    if provider == "external":
        return open_external(kind, url, management)
    if provider == "native":
        return _NATIVE[kind](lifetime)
    from atleastonce.brokers import docker  # noqa: PLC0415 - likewise

    return docker.open_docker(kind, lifetime)
