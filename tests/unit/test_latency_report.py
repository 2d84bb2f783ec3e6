"""What is told of latencies: lines, table, analysis, page and plots, all from the same findings."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from atleastonce.latency.findings import LatencyFindings, found
from atleastonce.latency.samples import Attempt, Attempts, Measured, Sample, parsed
from atleastonce.latency.scenario import LatencyFile
from atleastonce.latency.scenario_file import claims, parse
from atleastonce.report import latency_folder, latency_markdown, latency_page
from atleastonce.report.latency_drawing import Axis
from atleastonce.report.latency_table import notes, row
from atleastonce.report.latency_terminal import progress
from atleastonce.report.latency_timeline import gaps
from latencies import SMALL, attempted, samples

CLAIMS = """
"fast & <good>" = "baseline.median <= 0.1"
"three tries" = "failure.median - baseline.median >= backoff(2, 0.5)"
"""


def findings(measured: Measured, told: str = CLAIMS) -> LatencyFindings:
    """Judge by the claims of a small file."""
    latency = parse(SMALL.format(claims=told))
    return found(LatencyFile(path=Path("s.toml"), latency=latency, claims=claims(latency)), measured, "Here.")


ODD = findings(samples(baseline="6.1 6.2", failure="4.1:502 4.2:502"))


def test_a_line_for_each_request():
    """Exactly as users know it."""
    assert progress(Sample("delay_2s", 3, 2.01449, 200), 10, "HTTP 200") == (
        "[delay_2s] Request 3/10: 2.014s (HTTP 200)"
    )


@pytest.mark.parametrize(("n", "p95"), [(19, "1.000*"), (20, "1.000")])
def test_p95_of_few_samples_is_marked(n, p95):
    """In the table, and below it."""
    judged = findings(samples(baseline=" ".join(["1"] * n)))
    cells = row(judged.summaries[0])
    assert cells == ("baseline", "1.000", "1.000", "1.000", p95, "1.000", str(n), "0")
    assert any(note.startswith("* p95 of fewer than 20") for note in notes(judged.summaries)) == (n < 20)


def test_n_and_percentile_method_are_printed():
    """Below every table."""
    told = " ".join(notes(ODD.summaries))
    assert "n = 2 in each scenario" in told
    assert "linear interpolation between the two closest ranks" in told


def test_the_analysis_is_made_from_the_verdicts():
    """Each claim once, with its reason, and what the samples say beside."""
    told = "\n".join(latency_markdown.analysis(ODD))
    assert [verdict.outcome for verdict in ODD.verdicts] == ["broken", "broken"]
    assert all(verdict.reason.replace("<", "&lt;") in told for verdict in ODD.verdicts)
    assert "failure was answered faster than baseline: median 4.150 s against 6.150 s" in told
    assert "about 3 times two seconds" in told
    assert "Holds" not in told


def test_good_samples_get_no_remarks():
    """Nothing is explained that needs no explanation."""
    good = findings(samples(baseline="0.01 0.02", failure="1.52:502 1.53:502"))
    assert (good.outcome, good.remarks) == ("kept", ())


def test_slow_work_is_not_taken_for_a_wait():
    """Times that differ, or that are no multiple of two seconds, are told nothing of names."""
    for times in ("5.0 5.1", "6.1 8.1", "0.4 0.5"):
        assert findings(samples(baseline=times, failure="9 9")).remarks == ()


def test_what_was_not_judged_is_named():
    """Unknown is not kept."""
    judged = findings(samples(baseline="0.01"))
    assert judged.outcome == "unknown"
    assert judged.remarks == ("Not judged, and therefore not kept: “three tries”.",)


def test_page_needs_nothing_and_escapes_everything():
    """No script, no address, and no markup from names."""
    text = latency_page.page(ODD, latency_folder.drawings(ODD))
    assert "fast &amp; &lt;good&gt;" in text
    assert re.findall(r"<script|(?:src|href)=|url\(", text) == []
    assert text.count("<svg") == 2


def test_plots_are_xml_with_their_styles(tmp_path):
    """So that they can be looked at by themselves; names of others are escaped in them."""
    strange = (Sample('<b>&"', 1, 0.0, 200),)
    latency_folder.write(tmp_path, findings(Measured(strange)))
    for name in ("latency-together.svg", "latency-apart.svg"):
        root = ET.fromstring((tmp_path / name).read_text("utf-8"))  # noqa: S314 - made a line ago
        words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
        assert '<b>&"' in words


def test_the_folder_holds_what_was_measured(tmp_path):
    """Samples, verdicts, Markdown, page and plots; the samples can be judged again."""
    page = latency_folder.write(tmp_path, ODD)
    assert page == tmp_path / "latency.html"
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "latency-apart.svg", "latency-together.svg", "latency.html", "latency.json", "latency.md",
        "latency_results.csv",
    ]  # fmt: skip
    again = Measured(parsed((tmp_path / "latency_results.csv").read_text("utf-8")))
    assert findings(again).verdicts == ODD.verdicts


def test_a_timeline_where_attempts_have_times():
    """Of the request nearest to the median; with counts alone there is none, and the report says so."""
    seen = tuple(Attempt(at, at + 0.1, 500) for at in (0.0, 0.6, 1.7))
    timed = Measured(
        samples(baseline="0.1", failure="1.8:502").samples,
        (Attempts("failure", 1, "inventory", 3, seen),),
        ("inventory",),
    )
    drawn = latency_folder.drawings(findings(timed))
    assert ">0.500 s<" in drawn["timeline"]
    assert ">1.000 s<" in drawn["timeline"]
    counted = findings(attempted(timed, failure="3"))
    assert "timeline" not in latency_folder.drawings(counted)
    assert latency_markdown.NO_TIMELINE in latency_markdown.report(counted, {"apart": "x.svg"})


def test_waits_lie_between_attempts():
    """From the end of one to the start of the next; attempts side by side wait for nothing."""
    beside = (Attempt(0.0, 1.0), Attempt(0.5, 1.5), Attempt(2.0, 2.5))
    assert gaps(beside) == [(1.5, 2.0)]
    assert gaps((Attempt(0.0, 1.0),)) == []


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 2.1, [0.0, 0.5, 1.0, 1.5, 2.0]),
        (0.006, 0.0145, [0.006, 0.008, 0.01, 0.012, 0.014]),
        (0, 8.5, [0, 2, 4, 6, 8]),
    ],
)
def test_axes_have_round_values(low, high, ticks):
    """1, 2 or 5 of some power of ten apart, none outside."""
    assert Axis(low, high).ticks(5) == pytest.approx(ticks)
