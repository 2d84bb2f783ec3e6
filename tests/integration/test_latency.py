"""`atleastonce latency` on real services over HTTP: the reference, one that is wrong, one that runs already."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path

import pytest
from running import await_nothing_left, called, end, left_of, read_until, running

from latencies import ORIGINAL

PART_A = resources.files("campus_food").joinpath("scenarios", "part_a.toml").read_text("utf-8")


def shortened(folder: Path, text: str = PART_A, requests: int = 2) -> Path:
    """Write the scenarios of the reference with fewer requests and a shorter delay."""
    for name in ("baseline", "delay_2s", "failure", "flaky"):
        text = text.replace(f"[scenarios.{name}]", f"[scenarios.{name}]\nrequests = {requests}")
    text = text.replace('delay = "2"', 'delay = "0.3"').replace("within 2.0 ± 0.05", "within 0.3 ± 0.05")
    path = folder / "short.toml"
    path.write_text(text, "utf-8")
    return path


def verdicts(folder: Path, name: str = "PART_A_RESULTS") -> dict[str, str]:
    """Return the verdicts of a report by the names of the claims."""
    told = json.loads((folder / f"{name}.json").read_text("utf-8"))
    return {each["name"]: each["verdict"] for each in told["claims"]}


def test_the_reference_keeps_every_claim(tmp_path):
    """Lines, table and files as users know them, at the place that the file names."""
    done = called("latency", str(shortened(tmp_path)), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert sum(line.startswith("[flaky] Request ") and line.endswith("s (HTTP 200)") for line in lines) == 2
    assert sum(line.startswith("[failure] Request ") and line.endswith("s (HTTP 502)") for line in lines) == 2
    head = "| Scenario |   Min |   Avg | Median |    P95 |   Max | Success | Errors |"
    assert head in [line.rstrip() for line in lines]
    results = tmp_path / "tests" / "results"
    assert set(verdicts(results).values()) == {"kept"}
    assert len((results / "latency_results.csv").read_text("utf-8").splitlines()) == 9
    assert (
        sorted(each.suffix for each in results.iterdir()) == [".csv", ".html", ".json", ".md"] + [".svg"] * 3
    )


def test_a_chain_that_does_not_retry_is_found_out(tmp_path):
    """The same claims bite: one attempt instead of three, and no waits."""
    text = PART_A.replace('PORT = "{port}", DATABASE_URL = "sqlite:///{data_dir}/order.db"',
                          'PORT = "{port}", RETRIES = "0", DATABASE_URL = "sqlite:///{data_dir}/order.db"')  # fmt: skip
    assert text != PART_A
    done = called("latency", str(shortened(tmp_path, text)), "--report", str(tmp_path / "r"), cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = {name for name, verdict in verdicts(tmp_path / "r").items() if verdict == "broken"}
    assert broken == {
        "a failure waits between attempts",
        "a failure takes the waits and nothing else",
        "a failure is three attempts",
        "two failures in a row are survived",
        "survival takes the waits and nothing else",
        "survival is three attempts",
    }


class _Shop(BaseHTTPRequestHandler):
    """Answers 200, 500 where the query says so, and tells 2 attempts of everything."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b'{"attempts": [{"began": 7.0, "ended": 7.1, "status": 500}, {"began": 7.3, "ended": 7.4}]}'
        self.send_response(500 if "fail" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def shop() -> Iterator[str]:
    """Run a service of somebody else, and yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Shop) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


RUNNING = """
[services.shop]
url = "{url}"
{seen}
[request]
method = "GET"
address = "{{http:shop}}/order/{{id}}"
[scenarios.plain]
requests = 3
[scenarios.failing]
query = {{ fail = "500" }}
requests = 2
[claims]
"success" = "plain.success == n"
"failure" = "failing.count(500) == n"
"attempts" = "attempts(shop) == {attempts}"
"""


@pytest.mark.parametrize(
    ("seen", "attempts"),
    [('watch = "/order"', 1), ('attempts = "{http:shop}/attempts"', 2), ('watch = "/no"', 0)],
)
def test_any_service_that_runs_already(tmp_path, seen, attempts):
    """Watched from outside, or telling its attempts itself."""
    with shop() as url:
        path = tmp_path / "shop.toml"
        path.write_text(RUNNING.format(url=url, seen=seen, attempts=attempts), "utf-8")
        done = called("latency", str(path), "--report", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdicts(tmp_path, "latency") == {"success": "kept", "failure": "kept", "attempts": "kept"}


def test_attempts_that_nobody_watched_are_unknown(tmp_path):
    """Exit code 3: nothing is broken, but not everything could be judged."""
    with shop() as url:
        path = tmp_path / "shop.toml"
        path.write_text(RUNNING.format(url=url, seen="", attempts=1), "utf-8")
        done = called("latency", str(path), "--report", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert verdicts(tmp_path, "latency")["attempts"] == "unknown"


def test_the_original_report_is_refuted(tmp_path):
    """Its baseline, its retries and its successes do not hold; the exit code is 1."""
    done = called("latency", "--judge", str(ORIGINAL), "--report", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert verdicts(tmp_path, "original-report") == {
        "a baseline of 100 to 200 ms": "broken",
        "a delay of 2 s in Inventory adds 2 s": "kept",
        "a failure is retried twice with exponential backoff": "broken",
        "Inventory sees three attempts": "unknown",
        "10 successes of the baseline": "kept",
        "10 successes with the delay": "kept",
        "10 successes of the failure scenario": "broken",
    }
    assert "baseline.median is 6.150 s, claimed 0.150 s ± 0.050 s" in done.stdout
    assert "use 127.0.0.1" in done.stdout


def test_samples_of_others_overwrite_no_results(tmp_path):
    """They go to a folder of their own; the claims of the reference refute the original as well."""
    done = called("latency", "--judge", str(ORIGINAL), "part_a", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert not (tmp_path / "tests").exists()
    assert len(list((tmp_path / ".atleastonce").iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none.toml",), "cannot read the scenarios none.toml"),
        (("part_b",), "we ship no scenarios of that name; did you mean"),
        (("--judge", "none.csv"), "cannot read the samples none.csv"),
        (("original_report",), "request: found none, so there is nothing to send"),
        (("dead.toml",), "did not get ready: it ended with exit code 1"),
        (("away.toml",), "shop was not ready within 0.3 s: nothing took a connection at"),
    ],
)
def test_wrong_calls(tmp_path, words, said):
    """Exit code 2, one sentence, no traceback."""
    file = RUNNING.format(url="http://127.0.0.1:1", seen='ready_within = "300ms"', attempts=1)
    (tmp_path / "away.toml").write_text(file, "utf-8")
    dead = file.replace('url = "http://127.0.0.1:1"', "command = \"python -c 'raise SystemExit(1)'\"")
    (tmp_path / "dead.toml").write_text(dead.replace("300ms", "10s"), "utf-8")
    done = called("latency", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name
)
def test_nothing_is_left_after(tmp_path, number):
    """The services that were started and their folder are gone within ten seconds."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with running("latency", "--report", "r", cwd=tmp_path, TMPDIR=str(temporary)) as process:
        read_until(process, "[delay_2s]")
        (folder,) = temporary.glob("atleastonce-*")
        token = folder.name.removeprefix("atleastonce-")
        assert left_of(token, folder)
        end(process, number)
        await_nothing_left(token, folder)
    assert process.returncode == (130 if number != signal.SIGKILL else -number)
