"""What a contract observes of the services of a lane: addresses, a command, queries; and a snapshot of it all."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from atleastonce import templates
from atleastonce.casting import Cast
from atleastonce.contract import ContractFile
from atleastonce.observe.command import CommandObserver
from atleastonce.observe.http import HttpObserver
from atleastonce.observe.sql import SqlObserver

_Read = Callable[[str], Any]
"""Reads what a filled-in template names; None for nothing there. Raises ObservationError."""


class Sights:
    """Reads everything that is observed. The stack closes what it opens.

    `runtime` are the placeholders of the first service, `environment` is what a command is run with. Raises
    ContractError for a database that cannot be named so.
    """

    def __init__(
        self,
        contract: ContractFile,
        runtime: Mapping[str, str],
        environment: Mapping[str, str],
        http: HttpObserver,
        stack: ExitStack,
    ) -> None:
        self._runtime = runtime
        self._read = [*_readers(contract, runtime, environment, http, stack)]

    def snapshot(self, cast: Cast, *, unused: bool = False) -> dict[str, Any]:
        """Read all that is observed and has something to show; raise ObservationError.

        While the ids of this case are `unused`, they are all alike: where one has nothing to show, none has.
        """
        seen = {}
        for template, read in self._read:
            for label, target in cast.addresses(template, self._runtime).items():
                value = cast.anonymous(read(target))
                if value is not None:
                    seen[label] = value
                elif unused:
                    break
        return seen

    def unmoved(self, cast: Cast, changed: Collection[str]) -> tuple[str, ...]:
        """Return what is observed where none of these paths lies."""

        def moved(template: str) -> bool:
            roots = tuple(f"{label} $" for label in cast.addresses(template, self._runtime))
            return any(path.startswith(roots) for path in changed)

        return tuple(template for template, _ in self._read if not moved(template))


def _readers(
    contract: ContractFile,
    runtime: Mapping[str, str],
    environment: Mapping[str, str],
    http: HttpObserver,
    stack: ExitStack,
) -> Iterator[tuple[str, _Read]]:
    observe = contract.contract.observe
    yield from ((address, http.get) for address in observe.http)
    if observe.command:
        yield observe.command, CommandObserver(contract.path.resolve().parent, environment).get
    if observe.sql:
        database = SqlObserver(templates.fill(observe.url, runtime))
        stack.callback(database.close)
        yield from ((query, database.get) for query in observe.sql)
