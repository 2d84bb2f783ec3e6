"""The report folder: what is written, in which words, and that each file is what it says it is."""

import ast
import json
import re
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec.structs import replace
from test_report_stories import RULES, counterexample, kafka_kill, rabbitmq_cut

from atleastonce import history_file, schedule
from atleastonce.findings import Findings
from atleastonce.report import junit, markdown
from atleastonce.report.chart import svg
from atleastonce.report.folder import default_folder, write
from atleastonce.report.page import page
from atleastonce.report.rows import NO_OCCASION, reason, rows
from atleastonce.report.story import Step, Story
from atleastonce.report.telling import of_counterexample
from atleastonce.verdict import Tally

WHEN = datetime(2026, 11, 22, 14, 3, 11)  # noqa: DTZ001 - a report shows the user's own clock
HOME = ".atleastonce/x"
SETTINGS = {"provider": "native", "version": "3.10.8"}


def found() -> list[Findings]:
    """Return a run on both brokers: one broken promise each, one kept, one unknown."""
    first, second = (
        counterexample("effects-once", rabbitmq_cut()),
        counterexample("nothing-lost", kafka_kill()),
    )
    return [
        Findings(
            service="inventory",
            broker="rabbitmq",
            tallies={"effects-once": Tally(kept=40, broken=2), "recovers": Tally()},
            counterexamples=[first],
            planned=48,
            carried_out=42,
            seconds=12.34,
            settings=SETTINGS,
            versions={"atleastonce": "0.1.0"},
        ),
        Findings(
            service="inventory",
            broker="kafka",
            tallies={
                "effects-once": Tally(kept=20),
                "nothing-lost": Tally(kept=3, broken=1, unknown=2, reasons={"not quiet | <in time>": 2}),
            },
            counterexamples=[second],
            planned=20,
            carried_out=20,
            seconds=31.2,
        ),
    ]


def test_a_row_has_exactly_the_documented_keys() -> None:
    """What CONTRACT fixes for verdicts.json, with the three counts as the occasions."""
    assert rows(found())[0].as_json() == {
        "service": "inventory",
        "broker": "rabbitmq",
        "promise": "effects-once",
        "verdict": "broken",
        "reason": counterexample("effects-once", rabbitmq_cut()).verdict.reason,
        "occasions": {"kept": 40, "broken": 2, "unknown": 0},
        "confirmed": "3 of 3",
        "counterexample": "counterexamples/1",
        "settings": SETTINGS,
    }


def test_every_outcome_has_its_reason() -> None:
    """Unknown is not kept: its reasons are told, the commonest first."""
    assert [reason(each) for each in (Tally(), Tally(kept=1), Tally(kept=3, broken=2))] == [
        NO_OCCASION,
        "kept on 1 schedule that gave an occasion",
        "broken on 2 of 5 schedules that gave an occasion",
    ]
    assert reason(Tally(missed="no outputs")) == f"{NO_OCCASION} (no outputs)"
    unknown = Tally(kept=1, unknown=3, reasons={"too slow": 1, "not quiet": 2})
    assert reason(unknown) == "3 of 4 schedules could not be judged: not quiet (2 times); too slow (1 time)"


@pytest.mark.parametrize(
    ("narrowed", "carried_out", "said"),
    [
        (False, 3, ""),
        (True, 3, "; not all of it was explored: leave out --explore"),
        (False, 2, "; only 2 of 3 schedules were carried out"),
    ],
)
def test_without_an_occasion_only_what_helps_is_advised(narrowed: bool, carried_out: int, said: str) -> None:
    """Who has tried all that there is is not told to leave out an option that was never given."""
    tallies = {"keeps-order": Tally(missed="no outputs")}
    one = Findings("s", "kafka", tallies, planned=3, carried_out=carried_out, narrowed=narrowed)
    assert rows([one])[0].reason == f"{NO_OCCASION} (no outputs){said}"


def test_junit_has_a_case_per_promise_and_skips_the_unknown() -> None:
    """A failure carries the counterexample and the command that replays it."""
    suites = ET.fromstring(junit.report(found(), RULES, WHEN, HOME))  # noqa: S314 - our own
    assert [
        (suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("skipped"))
        for suite in suites
    ] == [
        ("atleastonce.rabbitmq.inventory", "2", "1", "1"),
        ("atleastonce.kafka.inventory", "2", "1", "0"),
    ]
    failure, skipped = suites.find(".//failure"), suites.find(".//skipped")
    assert failure is not None
    assert (failure.text or "").startswith("BROKEN effects-once · inventory · confirmed 3 of 3")
    assert (failure.text or "").endswith(f"replay: atleastonce replay {HOME}/counterexamples/1")
    assert skipped is not None
    assert str(skipped.get("message")).startswith(f"unknown: {NO_OCCASION}")


def test_junit_survives_what_xml_cannot_hold() -> None:
    """A reason may quote a body with control characters."""
    one = Findings("s", "kafka", {"recovers": Tally(unknown=1, reasons={"found \x00\x1b[31m <&": 1})})
    skipped = ET.fromstring(junit.report([one], {}, WHEN, HOME)).find(".//skipped")  # noqa: S314 - our own
    assert skipped is not None
    assert "found \ufffd\ufffd[31m <&" in str(skipped.get("message"))


def test_markdown_has_the_table_the_story_and_the_chart() -> None:
    """What is unknown beside a broken promise is told too; a cell cannot be broken out of."""
    text = markdown.report(found(), RULES, HOME)
    assert "| inventory | kafka | effects-once | ✓ **kept** | 20 | 0 | 0 | kept on 20 schedules" in text
    assert "- inventory, nothing-lost: not quiet \\| &lt;in time> (2 times)" in text
    assert (
        "- 42 of 48 schedules in 12.3 s\n- provider: `native`\n- version: `3.10.8`\n- atleastonce: `0.1.0`"
        in text
    )
    assert text.count("```mermaid") == 2


def test_the_mermaid_chart_says_who_does_what() -> None:
    """A fault that came before its event shows what was lost."""
    story = of_counterexample(counterexample("nothing-lost", kafka_kill()), RULES)
    killed = "service killed before produce(m1) reached the broker"
    assert markdown.mermaid(story).splitlines() == [
        "sequenceDiagram",
        "    participant runner as atleastonce",
        "    participant broker as Kafka",
        "    participant service as inventory",
        "    runner->>broker: publish m1 (o1)<br/>→ orders[2]",
        "    broker->>service: fetch m1<br/>first delivery",
        "    service->>broker: commit m1<br/>offset 6, done",
        "    Note right of service: ◄ its effect never came",
        "    service-xbroker: produce m1",
        f"    Note over runner,service: ✂ {killed}<br/>allowed: a process may die at any moment",
        "    runner->>service: start inventory<br/>ready after 0.412 s",
    ]


class _Page(HTMLParser):
    """Notes what a page would fetch, the ids that it defines and its tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.linked: set[str] = set()
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.fetched += [value for name, value in given.items() if name in {"src", "srcset"}]
        self.fetched += [given["href"]] if tag == "link" else []
        self.linked |= {given["href"][1:]} if given.get("href", "").startswith("#") else set()
        self.ids |= {given["id"]} if "id" in given else set()
        if tag not in {"meta", "br", "link", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element of SVG, which is closed already."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_beside_itself() -> None:
    """No script, no font, no picture from elsewhere; every link inside leads somewhere."""
    text = page(found(), RULES, WHEN, HOME)
    read = _Page(text)
    assert (read.fetched, read.open) == ([], [])
    assert read.linked == {"counterexamples/1", "counterexamples/2"}
    assert read.linked <= read.ids
    assert not re.search(r"<script|@import|url\(", text)
    assert f"atleastonce replay {HOME}/counterexamples/2</pre>" in text


def test_the_page_escapes_what_a_service_said() -> None:
    """A service under test may put anything into its bodies, and so into our reasons."""
    evil = "<script>alert(1)</script>"
    one = Findings(evil, "kafka", {"recovers": Tally(unknown=1, reasons={evil: 1})}, settings={"x": evil})
    assert "<script" not in page([one], {}, WHEN, HOME)
    story = Story("p", evil, "kafka", evil, (Step("publish", evil, remark=evil, mark=evil),), (), evil)
    assert "<script" not in svg(story, evil)
    assert "<script" not in markdown.mermaid(story)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a report folder with a run on both brokers."""
    write(tmp_path / "report", found(), RULES, WHEN)
    return tmp_path / "report"


def test_the_folder_holds_what_is_documented(folder: Path) -> None:
    """And no half-written file beside it."""
    names = {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}
    parts = ("schedule.json", "history.jsonl", "sequence.md", "test_counterexample.py", "service.log")
    assert names == {"verdicts.json", "junit.xml", "report.md", "report.html"} | {
        f"counterexamples/{n}/{part}" for n in (1, 2) for part in parts
    }
    assert len(json.loads((folder / "verdicts.json").read_text())) == 4


def test_a_counterexample_can_be_read_back(folder: Path) -> None:
    """Schedule, history and log are those of the run, with how often it was seen again; the test names the promise."""
    one = folder / "counterexamples" / "1"
    assert schedule.load(one / "schedule.json") == rabbitmq_cut().header.schedule
    again = history_file.load(one / "history.jsonl")
    assert (again.header.confirmed, again.events) == ((3, 3), rabbitmq_cut().events)
    assert replace(again.header, confirmed=(0, 0)) == rabbitmq_cut().header
    assert (one / "service.log").read_text() == "reserved o1\n"
    test = ast.parse((one / "test_counterexample.py").read_text())
    assert [node.name for node in test.body if isinstance(node, ast.FunctionDef)] == ["test_effects_once"]
    assert f"atleastonce replay {one}" in (one / "sequence.md").read_text()


def test_a_second_run_in_the_same_second_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    """No report overwrites another."""
    first = default_folder(WHEN, tmp_path)
    first.mkdir()
    assert [first.name, default_folder(WHEN, tmp_path).name] == [
        "2026-11-22T14-03-11",
        "2026-11-22T14-03-11-2",
    ]


def test_a_history_without_observations_is_told_all_the_same() -> None:
    """A report must come out of whatever a broken run left behind."""
    bare = msgspec.structs.replace(rabbitmq_cut(), observations=())
    story = of_counterexample(counterexample("effects-once", bare), RULES)
    assert story.headline.startswith("UNKNOWN effects-once")
    assert story.differences == ()
