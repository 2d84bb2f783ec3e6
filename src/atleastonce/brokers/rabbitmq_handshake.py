"""Asks a RabbitMQ whether it serves: a whole AMQP handshake, and one request to its HTTP API."""

import base64
import http.client
import socket
from typing import Any

from pamqp import commands, exceptions, frame, header

from atleastonce.errors import TransportError

_TIMEOUT = 5.0  # seconds for one answer


def version(host: str, port: int, user: str, password: str, virtual_host: str = "/") -> str:
    """Log in, open the virtual host, leave, and return the version that the broker names.

    Raises OSError if nobody answers and TransportError if the answer is no welcome.
    """
    with socket.create_connection((host, port), _TIMEOUT) as link:
        link.sendall(header.ProtocolHeader().marshal())
        start = _expect(link, commands.Connection.Start)
        _send(link, commands.Connection.StartOk({}, "PLAIN", f"\0{user}\0{password}", "en_US"))
        tune = _expect(link, commands.Connection.Tune)
        _send(link, commands.Connection.TuneOk(tune.channel_max, tune.frame_max, 0))
        _send(link, commands.Connection.Open(virtual_host))
        _expect(link, commands.Connection.OpenOk)
        _send(link, commands.Connection.Close(200, "only looked", 0, 0))
        _expect(link, commands.Connection.CloseOk)
    return str(start.server_properties.get("version", ""))


def management_answers(host: str, port: int, user: str, password: str) -> None:
    """Return if the HTTP API knows the user; raise OSError or TransportError if not."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/api/whoami", headers={"Authorization": f"Basic {token}"})
        status = connection.getresponse().status
    except http.client.HTTPException as exc:
        raise TransportError(
            f"asked the HTTP API at {host}:{port} who we are: no HTTP answer ({exc})"
        ) from exc
    finally:
        connection.close()
    if status != http.client.OK:
        raise TransportError(
            f"asked the HTTP API at {host}:{port} who we are: status {status}; check user and password"
        )


def _send(link: socket.socket, method: Any) -> None:
    link.sendall(frame.marshal(method, 0))


def _expect(link: socket.socket, method: type[Any]) -> Any:
    data = b""
    while True:
        chunk = link.recv(4096)
        if not chunk:
            raise TransportError(f"awaited {method.name} from RabbitMQ: it closed the connection")
        data += chunk
        try:
            found = frame.unmarshal(data)[2]
        except exceptions.UnmarshalingException:
            continue  # the frame is not complete yet
        if not isinstance(found, method):
            raise TransportError(f"awaited {method.name} from RabbitMQ: got {getattr(found, 'name', found)}")
        return found
