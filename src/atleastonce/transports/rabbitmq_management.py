"""The management interface of RabbitMQ, for what AMQP cannot do; and one table of the errors of both."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import pika.exceptions
import urllib3

from atleastonce.errors import ContractError, TransportError

TRANSLATED = (pika.exceptions.AMQPError, urllib3.exceptions.HTTPError, OSError)
"""What `translated` translates."""
_HTTP_ERROR = 400
_ALTERNATE = "alternate-exchange"
"""Where an exchange sends what it cannot route, as its own argument or a policy's."""


@contextlib.contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Raise every foreign exception as a TransportError that says what was attempted."""
    try:
        yield
    except TRANSLATED as exc:
        raise TransportError(f"cannot {attempt}: {type(exc).__name__} {exc}".rstrip()) from exc


class Deleted(NamedTuple):
    """What a queue was declared with, and where it was bound to."""

    declared: Mapping[str, Any]
    bindings: Sequence[Mapping[str, Any]]


class Management:
    """The management interface, for what AMQP cannot do: virtual hosts, definitions, what a queue is."""

    def __init__(self, url: str) -> None:
        split = urlsplit(url)
        self._base = f"{split.scheme}://{split.hostname}:{split.port}/api"
        login = f"{split.username or 'guest'}:{split.password or 'guest'}"
        self._headers = {**urllib3.make_headers(basic_auth=login), "content-type": "application/json"}
        self._pool = urllib3.PoolManager(retries=False, timeout=10.0)

    def create_vhost(self, name: str, user: str) -> None:
        """Create a virtual host that this user may do everything in."""
        vhost = quote(name, safe="")
        self._request("PUT", f"vhosts/{vhost}", b"{}")
        self._request(
            "PUT", f"permissions/{vhost}/{quote(user)}", b'{"configure":".*","write":".*","read":".*"}'
        )

    def delete_vhost(self, name: str) -> None:
        """Remove a virtual host and everything in it; file handles are what runs out otherwise."""
        self._request("DELETE", f"vhosts/{quote(name, safe='')}")

    def import_definitions(self, vhost: str, path: Path) -> None:
        """Declare the topology of a definitions file in a virtual host."""
        try:
            body = path.read_bytes()
        except OSError as exc:
            raise ContractError(f"broker.definitions: cannot read {path}: {exc.strerror}") from exc
        self._request("POST", f"definitions/{quote(vhost, safe='')}", body)

    def arguments(self, vhost: str) -> dict[str, set[str]]:
        """Return which arguments, without their ``x-``, each queue was declared with, or has by a policy."""
        place = quote(vhost, safe="")
        # What a queue comes to have by all of them is told with the statistics only, which are seconds behind.
        policies = {
            key: {each["name"]: each["definition"] for each in self._read(f"{key}/{place}")}
            for key in ("policies", "operator-policies")
        }
        queues = self._read(f"queues/{place}?columns=name,arguments,policy,operator_policy")
        return {
            each["name"]: {
                key.removeprefix("x-")
                for key in (
                    *each["arguments"],
                    *policies["policies"].get(each.get("policy"), ()),
                    *policies["operator-policies"].get(each.get("operator_policy"), ()),
                )
            }
            for each in queues
        }

    def only_queues(self, vhost: str) -> dict[str, str]:
        """Return the one queue of each exchange that is bound to one alone: what that misses, is returned or lost.

        Not of an exchange that ends with its bindings, or that has another one for what it cannot route.
        """
        place = quote(vhost, safe="")
        bound: dict[str, set[str]] = {}
        for each in self._read(f"bindings/{place}"):
            # One that leads to another exchange leads to who knows how many queues: it is as good as two.
            leads = (
                {each["destination"]} if each["destination_type"] == "queue" else {"", each["destination"]}
            )
            bound.setdefault(each["source"], set()).update(leads)
        caught = any(_ALTERNATE in each["definition"] for each in self._read(f"policies/{place}"))
        sure = {
            each["name"]
            for each in self._read(f"exchanges/{place}?columns=name,arguments,auto_delete")
            if each["name"] and not each["auto_delete"] and not caught and _ALTERNATE not in each["arguments"]
        }
        return {
            source: min(queues) for source, queues in bound.items() if source in sure and len(queues) == 1
        }

    def queue(self, vhost: str, name: str) -> Deleted:
        """Read how a queue was declared and where it is bound to."""
        path = f"queues/{quote(vhost, safe='')}/{quote(name, safe='')}"
        found, bindings = self._read(path), self._read(f"{path}/bindings")
        # The policy's own arguments and the type come back as the declaration had them.
        declared = {key: found[key] for key in ("durable", "auto_delete", "arguments")}
        return Deleted(declared, [each for each in bindings if each["source"]])

    def make_queue(self, vhost: str, name: str, was: Deleted) -> None:
        """Declare a queue as it was, and bind it where it was bound to."""
        place = quote(vhost, safe="")
        self._request("PUT", f"queues/{place}/{quote(name, safe='')}", json.dumps(was.declared).encode())
        for binding in was.bindings:
            what = {"routing_key": binding["routing_key"], "arguments": binding["arguments"]}
            path = f"bindings/{place}/e/{quote(binding['source'], safe='')}/q/{quote(name, safe='')}"
            self._request("POST", path, json.dumps(what).encode())

    def _read(self, path: str) -> Any:
        return json.loads(self._request("GET", path))

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        with translated(f"{method} /api/{path} of the management interface"):
            answer = self._pool.request(method, f"{self._base}/{path}", body=body, headers=self._headers)
        if answer.status >= _HTTP_ERROR:
            text = answer.data.decode(errors="replace")[:200]
            raise TransportError(
                f"the management interface answered {answer.status} to {method} /api/{path}: {text}"
            )
        return answer.data
