"""Sends the requests of all scenarios, one after the other, and takes the time of each."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import urllib3

from atleastonce import templates
from atleastonce.errors import ObservationError
from atleastonce.latency.attempts import read_attempts
from atleastonce.latency.samples import Attempt, Attempts, Measured, Sample
from atleastonce.latency.scenario import Latency, Request, Scenario
from atleastonce.latency.statistics import NO_ANSWER
from atleastonce.measuring.fleet import Fleet
from atleastonce.measuring.witness import Witness
from atleastonce.observe.http import HttpObserver

Watch = Callable[[Sample, int, str], None]
"""Takes each sample, the number of requests of its scenario, and how it ended: ``HTTP 200``."""


def measure(latency: Latency, request: Request, fleet: Fleet, watch: Watch) -> Measured:
    """Carry out all scenarios in the order of the file.

    A closed loop, as a person at a counter: the next request is sent when the last byte of the answer to the one
    before is there. A time therefore never holds what a request would have waited behind others. Connections
    are kept; nothing is repeated. Looking at attempts is no part of the time.
    """
    samples: list[Sample] = []
    attempts: list[Attempts] = []
    late: dict[str, float] = {}
    with _Client(request, fleet) as client:
        for name, scenario in latency.scenarios.items():
            with Witness() as witness:
                for number in range(1, scenario.requests + 1):
                    values = {**fleet.values(), "id": str(uuid.uuid4()), "n": str(len(samples) + 1)}
                    began = time.perf_counter()
                    seconds, status, ended = client.send(scenario, values)
                    samples.append(Sample(name, number, seconds, status))
                    watch(samples[-1], scenario.requests, ended)
                    attempts += _passed(latency, fleet, samples[-1], began)
                    attempts += client.told(latency, samples[-1], values)
            late[name] = witness.late
    watched = tuple(name for name, each in latency.services.items() if each.watch or each.attempts)
    return Measured(tuple(samples), tuple(attempts), watched, late)


def _passed(latency: Latency, fleet: Fleet, sample: Sample, began: float) -> Iterator[Attempts]:
    """Yield what went through each passage since the request was sent.

    Requests follow each other, so whatever passes meanwhile belongs to this one. What a service still does for
    an earlier one, after its answer, belongs elsewhere: a path in `watch` keeps it apart.
    """
    for name, passage in fleet.passages.items():
        seen = [each for each in passage.take() if each.path.startswith(latency.services[name].watch)]
        shown = tuple(Attempt(each.began - began, each.ended - began, each.status) for each in seen)
        yield Attempts(sample.scenario, sample.request, name, len(shown), shown)


class _Client:
    """Kept connections to the service, and to whatever tells of attempts."""

    def __init__(self, request: Request, fleet: Fleet) -> None:
        self._request = request
        self._fleet = fleet
        self._pool = urllib3.PoolManager(retries=False, timeout=float(request.timeout))
        self._observer = HttpObserver()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.clear()
        self._observer.close()

    def send(self, scenario: Scenario, values: Mapping[str, str]) -> tuple[float, int, str]:
        """Send one request; return seconds, status and how it ended."""
        request = self._request
        url = _with_query(templates.fill(scenario.address or request.address, values), scenario, values)
        body = templates.fill(request.body, values).encode() if request.body else None
        headers = {key: templates.fill(text, values) for key, text in request.headers.items()}
        began = time.perf_counter()
        try:
            # With its body read: the time ends with the last byte.
            answer = self._pool.request(request.method, url, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as exc:
            return time.perf_counter() - began, NO_ANSWER, f"no answer: {type(exc).__name__}"
        return time.perf_counter() - began, answer.status, f"HTTP {answer.status}"

    def told(self, latency: Latency, sample: Sample, values: Mapping[str, str]) -> Iterator[Attempts]:
        """Yield what services tell themselves of the request that was just answered."""
        for name, service in latency.services.items():
            if service.attempts:
                url = templates.fill(service.attempts, {**values, **self._fleet.values(name)})
                try:
                    yield read_attempts(self._observer.get(url), sample, name)
                except ObservationError as exc:
                    yield Attempts(sample.scenario, sample.request, name, problem=str(exc))


def _with_query(url: str, scenario: Scenario, values: Mapping[str, str]) -> str:
    if not scenario.query:
        return url
    query = urlencode({key: templates.fill(text, values) for key, text in scenario.query.items()})
    return f"{url}{'&' if '?' in url else '?'}{query}"
