"""The scenario file: what is one, what is wrong with others, and those that we ship."""

from importlib import resources
from pathlib import Path

import pytest

from atleastonce.errors import ScenarioError
from atleastonce.latency.scenario_file import claims, load, parse
from latencies import SMALL

SHIPPED = Path(str(resources.files("campus_food").joinpath("scenarios")))
FILE = SMALL.format(claims="")
SERVICE = '[services.shop]\nurl = "http://127.0.0.1:8000"\n'
COMMAND = '[services.shop]\ncommand = "python shop.py"\n'


def test_defaults():
    """Ten requests, POST, a minute of patience, no services and no claims."""
    latency = parse(FILE)
    assert [each.requests for each in latency.scenarios.values()] == [10, 10]
    assert latency.request is not None
    assert (latency.request.method, float(latency.request.timeout)) == ("POST", 60.0)
    assert (latency.services, latency.claims, latency.name, latency.results) == ({}, {}, "latency", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x", "this is no TOML"),
        ("", "scenarios: found none, expected a table"),
        ("[scenarios]", "scenarios: found none, expected at least one table [scenarios.NAME]"),
        (FILE + "[scenarios.two-s]", 'scenarios."two-s": claims could not name it'),
        (FILE + "[scenarios.a]\nrequests = 0", "scenarios.a.requests: found 0, expected a whole number of at least 1"),
        (FILE + "[scenarios.a]\nquerry = {}", 'scenarios.a.querry: there is no such key; did you mean "query"?'),
        (FILE + "[scenarios.a.query]\nx = 2", "scenarios.a.query.x: found 2, expected text in quotes"),
        (FILE.replace("/order", "/{port}"), "request.address: there is no placeholder {port}; known here are {id}"),
        (FILE.replace("http://127.0.0.1:8000", "{http:shop}"), "names no table of [services]; there are none"),
        (FILE.replace("http:", "ftp:"), 'request.address: found "ftp://127.0.0.1:8000/order", expected an address'),
        (FILE.replace('"http://127.0.0.1:8000/order"', '""'), "request.address: found nothing"),
        (FILE.replace("[request]", '[request]\nmethod = "post"'), 'request.method: found "post"'),
        (FILE.replace("[request]", '[request]\ntimeout = "x"'), 'request.timeout: found "x", expected a duration'),
        (FILE + "[services.a]", "services.a.command: found none, expected the command that starts it, or the url"),
        (FILE + COMMAND + 'url = "http://a"', "services.shop.command: found one beside a url"),
        (FILE + COMMAND.replace("shop.py", "'"), "expected words of a command (No closing quotation)"),
        (FILE + COMMAND + 'watch = "/"\nattempts = "http://a"', "services.shop.watch: found beside attempts"),
        (FILE + COMMAND + 'watch = "reserve"', 'found "reserve", expected the beginning of a path'),
        (FILE + SERVICE.replace("http:", "https:") + 'watch = "/"', "which nobody can look into"),
        (FILE + SERVICE + 'ready = "http://127.0.0.1:{port}/"', "services.shop.ready: found {port} of a service with"),
        ('name = "a/b"\n' + FILE, 'name: found "a/b", expected the name of a file without its ending'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_key(text, said):
    """Key, found and expected, in one sentence."""
    with pytest.raises(ScenarioError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_claim_is_said_with_its_name_and_position(tmp_path):
    """And with the file."""
    path = tmp_path / "s.toml"
    path.write_text(SMALL.format(claims='"all is well" = "baseline.medium <= 1"'), "utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(path)
    assert str(caught.value) == (
        f'{path}: claims."all is well": \'baseline.medium <= 1\', at 10: found "medium"; '
        'there is no such measure; did you mean "median"?'
    )


def test_files_that_cannot_be_read(tmp_path):
    """A folder, none, and bytes that are no text."""
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "none.toml", tmp_path / "x.toml"):
        with pytest.raises(ScenarioError, match=r"cannot read the scenarios .*; name a scenario file"):
            load(path)


def test_a_file_without_a_request_is_one():
    """It can judge samples."""
    assert parse("[scenarios.a]").request is None
    assert claims(parse('[claims]\nx = "a.n > 1"\n[scenarios.a]'))["x"].scenarios == ("a",)


def test_the_scenarios_of_the_reference():
    """Those that users know, ten requests each, and reports where they look for them."""
    found = load(SHIPPED / "part_a.toml").latency
    assert {name: (each.query, each.requests) for name, each in found.scenarios.items()} == {
        "baseline": ({}, 10),
        "delay_2s": ({"delay": "2"}, 10),
        "failure": ({"fail": "500"}, 10),
        "flaky": ({"fail": "500", "fail_times": "2"}, 10),
    }
    assert (found.results, found.name) == ("tests/results", "PART_A_RESULTS")
