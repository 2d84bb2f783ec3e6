"""Reads a scenario file; whatever is wrong with it is one sentence that names key, found and expected."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

from atleastonce import templates
from atleastonce.conversion import convert, near, shown, text_of
from atleastonce.errors import ClaimError, ContractError, ScenarioError
from atleastonce.latency.claims import Claim
from atleastonce.latency.grammar import Known, parse_claim
from atleastonce.latency.scenario import Latency, LatencyFile, Service

SERVICE = ("port", "data_dir", "http:")
REQUEST = ("id", "n", "http:")
ATTEMPTS = ("port", "http:", "id", "n")
"""The placeholders of each kind of text; a colon means that the name of a service follows."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE_NAME = re.compile(r"[\w-]+")
_METHOD = re.compile(r"[A-Z]+")
_ADDRESS = re.compile(r"(https?://|\{http:)\S+")


def load(path: Path) -> LatencyFile:
    """Read a scenario file; raise ScenarioError where anything is wrong with it."""
    text = text_of(path, "the scenarios", "scenario file (TOML)", ScenarioError)
    try:
        latency = parse(text)
        return LatencyFile(path=path, latency=latency, claims=claims(latency))
    except ScenarioError as exc:
        raise ScenarioError(f"{path}: {exc}") from exc.__cause__


def parse(text: str) -> Latency:
    """Read the text of a scenario file, but for its claims; raise ScenarioError."""
    try:
        latency: Latency = convert(tomllib.loads(text), Latency, "")
    except tomllib.TOMLDecodeError as exc:
        raise ScenarioError(f"this is no TOML: {exc}") from exc
    except ContractError as exc:
        raise ScenarioError(str(exc)) from exc
    for problem in _problems(latency):
        raise ScenarioError(problem)
    return latency


def claims(latency: Latency) -> dict[str, Claim]:
    """Parse the claims of a file; raise ScenarioError, naming the claim and the position, for a wrong one."""
    known = Known(scenarios=tuple(latency.scenarios), services=tuple(latency.services))
    parsed = {}
    for name, text in latency.claims.items():
        try:
            parsed[name] = parse_claim(text, known)
        except ClaimError as exc:
            raise ScenarioError(f"claims.{shown(name)}: {exc}") from exc
    return parsed


def _problems(latency: Latency) -> Iterator[str]:
    """Yield a sentence for everything that is wrong although every single key is right."""
    yield from _names(latency)
    request = latency.request
    if request and not _METHOD.fullmatch(request.method):
        yield f"request.method: found {shown(request.method)}, expected one like POST"
    if request and not request.address and not all(each.address for each in latency.scenarios.values()):
        yield "request.address: found nothing, expected an address: http://127.0.0.1:8000/order"
    for name, service in latency.services.items():
        yield from _service(f"services.{name}", service)
    for key, text, known in _texts(latency):
        yield from _placeholders(latency, key, text, known)
    for key, text in _addresses(latency):
        if text and not _ADDRESS.fullmatch(text):
            yield f"{key}: found {shown(text)}, expected an address: http://127.0.0.1:8000/order"


def _names(latency: Latency) -> Iterator[str]:
    if not latency.scenarios:
        yield "scenarios: found none, expected at least one table [scenarios.NAME]"
    for table, names in (("scenarios", latency.scenarios), ("services", latency.services)):
        for name in names:
            if not _NAME.fullmatch(name):
                yield (
                    f"{table}.{shown(name)}: claims could not name it; "
                    "expected letters, digits and _, not beginning with a digit"
                )
    if not _FILE_NAME.fullmatch(latency.name):
        yield f"name: found {shown(latency.name)}, expected the name of a file without its ending"


def _service(where: str, service: Service) -> Iterator[str]:
    if bool(service.command) == bool(service.url):
        found = "one beside a url" if service.command else "none"
        yield f"{where}.command: found {found}, expected the command that starts it, or the url where it runs"
    if service.watch and service.attempts:
        yield f"{where}.watch: found beside attempts, expected one of the two"
    if service.watch and not service.watch.startswith("/"):
        yield f'{where}.watch: found {shown(service.watch)}, expected the beginning of a path, like "/reserve" or "/"'
    if service.watch and service.url.startswith("https:"):
        yield f"{where}.watch: found with a url of https, which nobody can look into; expected http"
    try:
        shlex.split(service.command)
    except ValueError as exc:
        yield f"{where}.command: found {shown(service.command)}, expected words of a command ({exc})"


def _addresses(latency: Latency) -> Iterator[tuple[str, str]]:
    yield "request.address", latency.request.address if latency.request else ""
    yield from ((f"scenarios.{name}.address", each.address) for name, each in latency.scenarios.items())
    for name, service in latency.services.items():
        for key in ("url", "ready", "attempts"):
            yield f"services.{name}.{key}", getattr(service, key)


def _texts(latency: Latency) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield every text that may hold placeholders: its key, itself, and what is known there."""
    for name, service in latency.services.items():
        where = f"services.{name}"
        yield from ((f"{where}.{key}", getattr(service, key), SERVICE) for key in ("command", "ready"))
        yield from ((f"{where}.env.{key}", text, SERVICE) for key, text in service.env.items())
        yield f"{where}.attempts", service.attempts, ATTEMPTS
    if latency.request:
        yield "request.address", latency.request.address, REQUEST
        yield "request.body", latency.request.body, REQUEST
        headers = latency.request.headers.items()
        yield from ((f"request.headers.{key}", text, REQUEST) for key, text in headers)
    for name, scenario in latency.scenarios.items():
        yield f"scenarios.{name}.address", scenario.address, REQUEST
        yield from ((f"scenarios.{name}.query.{key}", text, REQUEST) for key, text in scenario.query.items())


def _placeholders(latency: Latency, key: str, text: str, known: tuple[str, ...]) -> Iterator[str]:
    for name in templates.unknown(text, known):
        names = ", ".join(f"{{{each}NAME}}" if each.endswith(":") else f"{{{each}}}" for each in known)
        yield f"{key}: there is no placeholder {{{name}}}; known here are {names} ({{{{{name}}}}} is the text)"
    for name in templates.placeholders(text):
        word, _, argument = name.partition(":")
        if word == "http" and argument and argument not in latency.services:
            yield f"{key}: {{{name}}} names no table of [services]{near(argument, latency.services)}"
    service = latency.services.get(key.split(".")[1]) if key.startswith("services.") else None
    if service is not None and service.url and "port" in templates.placeholders(text):
        yield f"{key}: found {{port}} of a service with a url, expected its address as it is"
