"""Sets the wall clock of a service back, by a small library that is built here and loaded before its own.

Not libfaketime: librdkafka waits for absolute times with functions that it does not know, and hangs. Reaches what
asks the system's C library for the time: Python, Node, the JVM; not Go, which asks the kernel itself.
"""

import mmap
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from atleastonce.errors import ServiceError

SHIFT = -(400 * 24 * 3600 + 7 * 3600 + 11 * 60 + 13)
"""Seconds: no whole number of days, hours or minutes. Back, since brokers refuse what is an hour ahead of them."""
_SOURCE = Path(__file__).with_name("clock.c")
_LIBRARY = "atleastonce-clock.so"
_COMPILERS = ("cc", "gcc", "clang")
_WITHIN = 60.0
_GO = b"\xff Go buildinf:"


def environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Build the library in a folder, and return the environment that loads it; raise ServiceError with the reason."""
    library = _built(folder)
    preload = " ".join(filter(None, (str(library), given.get("LD_PRELOAD"))))
    return {"LD_PRELOAD": preload, "ATLEASTONCE_CLOCK_SHIFT": str(SHIFT)}


def unreached(processes: Iterable[int]) -> str | None:
    """Say which of these processes still sees the true time, None where there is none."""
    for process in processes:
        proc = Path(f"/proc/{process}")
        try:
            program = (proc / "exe").readlink()
            if _LIBRARY not in (proc / "maps").read_text("utf-8", "replace"):
                return f"{program} does not load the library that would set it back"
            if _is_go(proc / "exe"):
                return f"{program} is a Go program, which asks the kernel for the time"
        except OSError:
            continue  # it has ended since
    return None


def _built(folder: Path) -> Path:
    if sys.platform != "linux":
        raise ServiceError("that is done on Linux only")
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise ServiceError(
            f"there is no C compiler ({', '.join(_COMPILERS)}) to build the library that does it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / _LIBRARY
    words = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl", "-lpthread"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_WITHIN, check=False)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ServiceError(f"{compiler} could not build the library that does it: {exc}") from exc
    if done.returncode:
        raise ServiceError(
            f"{compiler} could not build the library that does it: {done.stderr.strip()[-300:]}"
        )
    return library


def _is_go(program: Path) -> bool:
    with program.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return text.find(_GO) >= 0
