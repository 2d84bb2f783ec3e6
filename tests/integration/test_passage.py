"""The passage before a watched service: every byte goes through, and each request is one attempt."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from atleastonce.measuring.passage import Passage
from atleastonce.relay.loop import Loop

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ASKED = b"POST /reserve?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def before(*talk: tuple[bytes, bytes]) -> Iterator[Passage]:
    """Stand before a service that awaits bytes and answers others, in turn, on one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server, Loop("passages") as loop:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for asked, answer in talk:
                    assert exactly(connection, len(asked)) == asked
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with Passage(loop, "127.0.0.1", server.getsockname()[1]) as passage:
            yield passage
        thread.join(10)


def exactly(connection: socket.socket, size: int) -> bytes:
    """Read so many bytes."""
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        assert part, f"{len(found)} of {size} bytes, then the end"
        found += part
    return found


def connected(passage: Passage) -> socket.socket:
    """Connect to the passage."""
    return socket.create_connection(("127.0.0.1", passage.port), timeout=10)


def shown(passage: Passage) -> list[tuple[str, int]]:
    """Return path and status of each attempt."""
    return [(each.path, each.status) for each in passage.take()]


def test_each_request_of_a_kept_connection_is_an_attempt():
    """And is told once."""
    again = ASKED.replace(b"/reserve?x=1", b"/release")
    with before((ASKED, OK), (again, OK.replace(b"200", b"500"))) as passage, connected(passage) as client:
        for asked in (ASKED, again):
            client.sendall(asked)
            exactly(client, len(OK))
        assert shown(passage) == [("/reserve?x=1", 200), ("/release", 500)]
        assert shown(passage) == []


def test_a_large_body_passes_whole():
    """In both directions, in as many pieces as it likes, as one attempt."""
    big = b"x" * 3_000_000
    with before((ASKED + big, OK + big)) as passage, connected(passage) as client:
        client.sendall(ASKED + big)
        assert exactly(client, len(OK + big)) == OK + big
        assert shown(passage) == [("/reserve?x=1", 200)]


def test_times_are_those_of_the_whole_attempt():
    """It ends with the last byte of the answer, and its first line may come in pieces."""
    with before((ASKED[:9], b""), (ASKED[9:], OK)) as passage, connected(passage) as client:
        client.sendall(ASKED[:9])
        client.sendall(ASKED[9:])
        exactly(client, len(OK))
        (seen,) = passage.take()
    assert seen.path == "/reserve?x=1"
    assert seen.began < seen.ended


def test_continue_is_no_answer_yet():
    """Nor is what follows it a new attempt."""
    head, body = ASKED[:-2], ASKED[-2:]
    on = b"HTTP/1.1 100 Continue\r\n\r\n"
    with before((head, on), (body, OK)) as passage, connected(passage) as client:
        client.sendall(head)
        exactly(client, len(on))
        client.sendall(body)
        exactly(client, len(OK))
        assert shown(passage) == [("/reserve?x=1", 200)]


def test_an_attempt_that_gets_no_answer_is_one():
    """The service ends the connection, and so does the passage."""
    with before((ASKED, b"")) as passage, connected(passage) as client:
        client.sendall(ASKED)
        assert client.recv(1) == b""
        assert shown(passage) == [("/reserve?x=1", 0)]


def test_a_service_that_is_not_there_refuses():
    """The client meets the end of its connection, which is an attempt all the same."""
    with socket.socket() as taken, Loop("passages") as loop:
        taken.bind(("127.0.0.1", 0))  # and never listens: a port let go might become the passage's own
        with Passage(loop, *taken.getsockname()) as passage, connected(passage) as client:
            client.sendall(ASKED)
            assert client.recv(1) == b""
            assert shown(passage) == [("/reserve?x=1", 0)]


def test_open_connections_end_with_the_passage():
    """Nothing hangs on one that is kept by both sides."""
    with socket.create_server(("127.0.0.1", 0)) as server, Loop("passages") as loop:
        with Passage(loop, "127.0.0.1", server.getsockname()[1]) as passage:
            client = connected(passage)
            client.sendall(ASKED)
            service, _ = server.accept()
            assert exactly(service, len(ASKED)) == ASKED
        with client, service:
            assert client.recv(1) == b""
            assert service.recv(1) == b""
