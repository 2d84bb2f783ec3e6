"""A service of a lane, before it runs."""

import os
import socket
from pathlib import Path

import pytest

from atleastonce import part
from atleastonce.brokers.ports import free_ports
from atleastonce.contract import Service
from atleastonce.errors import TransportError
from atleastonce.observe.http import HttpObserver
from atleastonce.recording import Record
from atleastonce.subjects.process import ProcessSubject


def made(port: int, folder: Path) -> part.Part:
    """Return a service that ends at once, for a port."""
    subject = ProcessSubject("brief", "true", os.environ, folder / "brief.log", folder)
    return part.Part(
        name="brief",
        service_name="brief",
        service=Service(command="true"),
        relays=(),
        subject=subject,
        runtime={"port": str(port)},
        record=Record(),
        observer=HttpObserver(),
        listens=(),
        must_subscribe=False,
        cancelled=lambda: False,
    )


def test_a_service_is_not_blamed_for_a_port_that_somebody_else_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not started while another process listens there, and is once that has ended."""
    monkeypatch.setattr(part, "_PORT_GIVEN_BACK", 0.1)
    (port,) = free_ports(1)
    brief = made(port, tmp_path)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(TransportError, match=f"its port, {port}"):
        brief.spawn()
    assert (brief.down, brief.subject.session) == (True, 0)
    brief.spawn()
    brief.subject.end()
    assert brief.subject.exit_words == "it ended with exit code 0"
