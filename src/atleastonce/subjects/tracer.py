"""Stops a service at its n-th system call that changes the world; runs as a process of its own.

Started as ``python -I -S tracer.py NTH SESSION CALLS``, it attaches to every thread of every process of that
session and says ``ready THREADS``. Then each of the system calls is a line ``call NUMBER THREAD WHAT``, in the one
order in which the kernel was asked, whichever thread asked. At the n-th the line is ``hit NUMBER THREAD WHAT``: the
call has not begun, and nothing that is traced goes on, until somebody kills it. ``failed REASON`` says that it
could not attach. When this process ends, whatever it has traced goes on as if nothing had been.

CALLS says which calls, as `system_calls.numbered` returns it. Needs Linux 5.3 or later (ptrace(2)). Costs two stops
for every system call of the service, some hundredths of a millisecond each.
"""

# ruff: noqa: PTH115, PTH119, PTH123, PTH208 - pathlib would be the largest import of this module

import contextlib
import ctypes
import os
import signal
import struct
import sys
from collections.abc import Iterator

_SYSCALL, _SEIZE, _INTERRUPT, _LISTEN, _GET_SYSCALL_INFO = 24, 0x4206, 0x4207, 0x4208, 0x420E
_FOLLOW = 0x01 | 0x02 | 0x04 | 0x08 | 0x10  # mark stops at calls; forks, vforks, clones and exec
_EVENT_STOP = 128
_AT_CALL = signal.SIGTRAP | 0x80
_ENTRY = 1
_ALL = 0x40000000  # __WALL: threads, too
_STOPPING = (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
_INFO = struct.Struct("=B3xIQQQ6Q")  # struct ptrace_syscall_info, at the entry of a call
_LONGEST_PATH = 4096
_PAGE = 4096  # the smallest of any machine: a larger page only means a second read

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


def ptrace(request: int, thread: int, address: int = 0, data: object = 0) -> int:
    """Ask the kernel; raise OSError where it refuses."""
    result: int = _libc.ptrace(request, thread, address, data)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def say(*words: object) -> None:
    """Write a line to whoever started us, at once."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def members(session: int) -> Iterator[int]:
    """Yield the processes of a session: the service, and whatever it has started."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue  # it ended while we looked
            if int(fields[3]) == session and fields[0] != "Z":
                yield int(entry)


def text(thread: int, address: int) -> str:
    """Return the last part of a path in a thread's memory."""
    found = b""
    try:
        with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            while b"\0" not in found and len(found) < _LONGEST_PATH:
                # Page by page: a path may lie across two, and the page behind its end need not be there.
                more = memory.read(_PAGE - (address + len(found)) % _PAGE)
                if not more:
                    break
                found += more
    except (OSError, ValueError, OverflowError):
        return ""
    return os.path.basename(found.partition(b"\0")[0].decode(errors="replace"))


def opened(thread: int, number: int) -> str | None:
    """Say what an open file is: its name, or its kind; None where to write to it only wakes a thread up."""
    try:
        found = os.readlink(f"/proc/{thread}/fd/{number}")
    except OSError:
        return ""
    if found == "anon_inode:[eventfd]" or (found.startswith("pipe:") and _reads(thread, found)):
        return None
    return found.partition(":")[0] if found.startswith(("socket:", "pipe:")) else os.path.basename(found)


def _reads(thread: int, pipe: str) -> bool:
    """Tell whether the process that writes to a pipe also holds the end that is read."""
    for number in os.listdir(f"/proc/{thread}/fd"):
        try:
            if os.readlink(f"/proc/{thread}/fd/{number}") == pipe:
                with open(f"/proc/{thread}/fdinfo/{number}") as file:
                    flags = next(line for line in file if line.startswith("flags:"))
                if int(flags.split()[1], 8) & os.O_ACCMODE == os.O_RDONLY:
                    return True
        except OSError:
            continue
    return False


class Tracer:
    """Traces one session until everything that belongs to it has ended."""

    def __init__(self, nth: int, session: int, calls: str) -> None:
        self._nth = nth
        self._session = session
        self._calls = {int(number): (name, kind) for number, name, kind in map(_split, calls.split(","))}
        self._starting: set[int] = set()
        self._attached: set[int] = set()
        self._said_ready = False
        self._count = 0
        self._hit = False

    def run(self) -> None:
        """Attach, and go on until nothing is left."""
        self._attach()
        while True:
            try:
                thread, status = os.waitpid(-1, _ALL)
            except ChildProcessError:
                if not self._said_ready:
                    say("failed", "there is no such process")
                return
            if os.WIFSTOPPED(status):
                with contextlib.suppress(
                    ProcessLookupError
                ):  # killed while it stood still: its end comes next
                    self._stopped(thread, status)
            else:
                self._starting.discard(thread)
            if not self._starting and not self._said_ready:
                self._attach()  # threads that were started meanwhile, unless an attached one started them
                if not self._starting:
                    self._said_ready = True
                    say("ready", len(self._attached))

    def _attach(self) -> None:
        for process in members(self._session):
            try:
                threads = [int(entry) for entry in os.listdir(f"/proc/{process}/task")]
            except OSError:
                continue
            for thread in threads:
                if thread not in self._attached:
                    try:
                        ptrace(_SEIZE, thread, 0, _FOLLOW)
                        ptrace(_INTERRUPT, thread)
                    except ProcessLookupError:
                        continue
                    self._attached.add(thread)
                    self._starting.add(thread)

    def _stopped(self, thread: int, status: int) -> None:
        """Take notice of a stop, and let the thread go on to its next system call."""
        number, event = os.WSTOPSIG(status), status >> 16
        self._attached.add(thread)
        if number == _AT_CALL:
            self._at_call(thread)
            number = 0
        elif event == _EVENT_STOP and number in _STOPPING:
            ptrace(_LISTEN, thread)
            return
        elif event:
            number = 0
        if not self._hit:
            ptrace(_SYSCALL, thread, 0, number)
        self._starting.discard(thread)

    def _at_call(self, thread: int) -> None:
        info = ctypes.create_string_buffer(_INFO.size)
        ptrace(_GET_SYSCALL_INFO, thread, _INFO.size, ctypes.addressof(info))
        kind, _, _, _, call, *arguments = _INFO.unpack(info.raw)
        if kind != _ENTRY or call not in self._calls or self._hit:
            return
        what = self._what(thread, call, arguments)
        if what is None:
            return
        self._count += 1
        self._hit = self._count == self._nth
        say("hit" if self._hit else "call", self._count, thread, what)

    def _what(self, thread: int, call: int, arguments: list[int]) -> str | None:
        """Say what a call does, and to what; None where it changes nothing outside."""
        name, kind = self._calls[call]
        which = arguments[int(kind[1:])] if kind else 0
        if kind.startswith("o"):
            if not arguments[int(kind[1:]) + 1] & (os.O_CREAT | os.O_TRUNC):
                return None
            target: str | None = text(thread, which)
        elif kind.startswith("p"):
            target = text(thread, which)
        else:
            target = opened(thread, which & 0xFFFFFFFF) if kind else ""
        return None if target is None else f"{name}({' '.join(target.split())})"


def _split(call: str) -> tuple[str, str, str]:
    number, name, kind = call.split(":")
    return number, name, kind


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    try:
        Tracer(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]).run()
    except OSError as exc:
        say("failed", exc.strerror)
