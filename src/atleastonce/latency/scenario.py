"""The scenario file as frozen data: services, one kind of request, scenarios, and claims about them."""

from pathlib import Path

import msgspec

from atleastonce.durations import Duration
from atleastonce.latency.claims import Claim
from atleastonce.promises import Count


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A table of the file: unknown keys are errors."""


class Service(_Table, frozen=True, kw_only=True):
    """A service that takes part: started by its command, or running already at its URL."""

    command: str = ""
    url: str = ""
    ready: str = ""
    ready_within: Duration = Duration(10)
    env: dict[str, str] = {}
    watch: str = ""
    attempts: str = ""


class Request(_Table, frozen=True, kw_only=True):
    """What is sent, once for each sample."""

    address: str
    method: str = "POST"
    body: str = ""
    headers: dict[str, str] = {}
    timeout: Duration = Duration(60)


class Scenario(_Table, frozen=True, kw_only=True):
    """The request under one condition, so many times."""

    requests: Count = 10
    address: str = ""
    query: dict[str, str] = {}


class Latency(_Table, frozen=True, kw_only=True):
    """The whole file."""

    scenarios: dict[str, Scenario]
    request: Request | None = None
    claims: dict[str, str] = {}
    services: dict[str, Service] = {}
    title: str = "Latency"
    about: str = ""
    name: str = "latency"
    results: str = ""


class LatencyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario file, where it came from, and its claims, parsed."""

    path: Path
    latency: Latency
    claims: dict[str, Claim]
