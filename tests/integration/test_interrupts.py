"""Nothing that `verify` starts outlives it: after Ctrl-C, SIGTERM and SIGKILL, at any moment."""

import re
import signal
from pathlib import Path

import pytest
from running import await_nothing_left, called, end, left_of, read_until, running

ROOT = Path(__file__).parents[2]
MOMENTS = ("asked for", "is ready", "clean runs", "schedules:")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.usefixtures("rabbitmq")  # skips, or fails under CI, where there is no broker of this provider
def test_nothing_is_left_after(tmp_path, atleastonce_provider, moment, number):
    """Processes, containers and temporary folders of the run are gone within ten seconds."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    call = ("verify", str(ROOT / "atleastonce.toml"), "--provider", atleastonce_provider)
    with running(*call, "--report", str(tmp_path), cwd=tmp_path, TMPDIR=str(temporary)) as process:
        read_until(process, moment)
        (folder,) = temporary.glob("atleastonce-*")
        token = folder.name.removeprefix("atleastonce-")
        assert left_of(token, folder)
        end(process, number)
        await_nothing_left(token, folder)


def test_ctrl_c_says_so_and_exits_with_130(tmp_path):
    """A user who interrupts sees one sentence, no traceback."""
    call = ("verify", str(ROOT / "atleastonce.toml"), "--provider", "native", "--report", str(tmp_path))
    with running(*call, cwd=tmp_path) as process:
        read_until(process, " kept ")
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        output = process.stdout.read()
        assert process.wait(10) == 130
    assert "interrupted" in output
    assert "Traceback" not in output
    found = re.search(r"what was carried out is kept: atleastonce (judge \S+)", output)
    assert found, output
    again = called(*found[1].split(), cwd=tmp_path)
    assert "kept" in again.stdout, again
