"""Tracing: a process is stopped at its n-th system call that changes the world, whichever thread makes it."""

import ctypes
import mmap
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from atleastonce.errors import ServiceError
from atleastonce.subjects import tracer, tracing
from atleastonce.subjects.system_calls import numbered
from atleastonce.subjects.tracing import Call, Tracer

WORK = """
import os, threading
input()
file = os.open("ledger", os.O_CREAT | os.O_WRONLY)
os.write(file, b"1")
wakes = os.eventfd(0)
reads, writes = os.pipe()
os.write(wakes, (1).to_bytes(8, "little"))
os.write(writes, b"nobody but this process reads it")
other = threading.Thread(target=os.pwrite, args=(file, b"2", 1))
other.start()
other.join()
os.rename("ledger", "the\\nbook")
os.open("the\\nbook", os.O_RDONLY)
os.write(file, b"3")  # in the place of the 2
"""
CALLS = [
    ("openat(ledger)", "main"),
    ("write(ledger)", "main"),
    ("pwrite64(ledger)", "other"),
    ("rename(the book)", "main"),
    ("write(the book)", "main"),
]


@pytest.fixture(autouse=True)
def permitted() -> None:
    """Skip, with the reason, where no process can be traced."""
    if (why_not := tracing.problem(os.environ)) is not None:
        pytest.skip(why_not)


@contextmanager
def working(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that begins to work when it may read a line."""
    words = [sys.executable, "-c", WORK]
    with subprocess.Popen(words, cwd=folder, stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def traced(process: subprocess.Popen[bytes], nth: int) -> list[Call]:
    """Trace a process while it works, until it ends or is stopped."""
    with Tracer(nth, process.pid, os.environ) as tracer:
        assert tracer.await_attached() == 1
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        found = []
        for call in tracer.calls():
            found.append(call)
            if call.hit:
                process.kill()
                process.wait()
        return found


def test_every_call_that_changes_the_world_is_counted(tmp_path: Path) -> None:
    """In one order over all threads; not what only wakes a thread of the same process, and no reading."""
    with working(tmp_path) as process:
        found = traced(process, 0)
        assert process.wait() == 0
    told = [(call.what, "main" if call.thread == process.pid else "other") for call in found]
    assert told == CALLS
    assert [call.number for call in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("nth", "left"), [(1, {}), (2, {"ledger": ""}), (3, {"ledger": "1"}), (5, {"the\nbook": "12"})]
)
def test_the_call_that_is_hit_has_not_begun(tmp_path: Path, nth: int, left: dict[str, str]) -> None:
    """What the calls before it did is there, what it would have done is not."""
    with working(tmp_path) as process:
        found = traced(process, nth)
    assert [call.hit for call in found] == [False] * (nth - 1) + [True]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == left


def test_who_is_let_go_goes_on(tmp_path: Path) -> None:
    """When the tracer is closed, the call that stood still is made, and all that follows."""
    with working(tmp_path) as process:
        with Tracer(2, process.pid, os.environ) as tracer:
            tracer.await_attached()
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
            for call in tracer.calls():
                if call.hit:
                    tracer.close()
        assert process.wait() == 0
    assert (tmp_path / "the\nbook").read_text() == "13"


def test_a_process_that_is_not_there_cannot_be_traced() -> None:
    """The sentence says what was attempted, and what was found."""
    with Tracer(1, 2**22 + 1, os.environ) as tracer, pytest.raises(ServiceError) as caught:
        tracer.await_attached()
    assert str(caught.value) == "the system calls of the service cannot be traced: there is no such process"


def test_what_the_kernel_refuses_is_said_with_what_to_do(tmp_path: Path) -> None:
    """A process that somebody traces already may not be traced by anybody else."""
    with working(tmp_path) as process, Tracer(0, process.pid, os.environ) as first:
        first.await_attached()
        with Tracer(0, process.pid, os.environ) as second, pytest.raises(ServiceError) as caught:
            second.await_attached()
    found = "the system calls of the service cannot be traced: Operation not permitted; run as root, "
    assert str(caught.value).startswith(found)


def test_where_nothing_can_be_traced_a_sentence_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine has other system calls."""
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    found = tracing.problem(os.environ)
    assert found is not None
    assert found.endswith("found Linux on pdp11, known is Linux on x86_64 or aarch64")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_two_calls_have_one_number(machine: str) -> None:
    """And what each is about is an argument that it has."""
    calls = [call.split(":") for call in numbered(machine).split(",")]
    assert len({number for number, _, _ in calls}) == len(calls)
    assert all(kind == "" or (kind[0] in "fpo" and int(kind[1]) < 6) for _, _, kind in calls)


@pytest.mark.parametrize("before", [mmap.PAGESIZE - 30, mmap.PAGESIZE - 10, 2 * mmap.PAGESIZE - 17])
def test_a_path_is_read_to_its_end_wherever_it_lies(before):
    """Also where it begins on one page of the memory and ends on the next, or with the last byte of all."""
    path = b"lib/ledger.draft\0"
    with mmap.mmap(-1, 2 * mmap.PAGESIZE) as memory:
        memory[before : before + len(path)] = path
        place = ctypes.c_char.from_buffer(memory, before)
        assert tracer.text(os.getpid(), ctypes.addressof(place)) == "ledger.draft"
        del place
