"""The wall clock of a process is set back by a preloaded library, and its waiting is not disturbed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from atleastonce.errors import ServiceError
from atleastonce.subjects import clock

LOOK = "import threading, time; threading.Event().wait(0.05); print(time.time())"


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler: apt install gcc")
def test_a_process_sees_another_time(tmp_path: Path) -> None:
    """By so many seconds, and a wait of 0.05 s ends after about that."""
    environment = {**os.environ, **clock.environment(tmp_path, {})}
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=environment, capture_output=True, timeout=20, check=True
    )
    assert abs(float(done.stdout) - time.time() - clock.SHIFT) < 60


def test_without_a_compiler_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variation is then unknown, with this reason."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match="there is no C compiler"):
        clock.environment(tmp_path, {})


def test_a_process_without_the_library_is_not_reached() -> None:
    """For instance one that is linked statically."""
    assert "does not load the library" in (clock.unreached([os.getpid()]) or "")
