"""Samples as CSV, and their statistics."""

from typing import Any

import pytest

from atleastonce.errors import SamplesError
from atleastonce.latency.samples import Sample, parsed, read, written
from atleastonce.latency.statistics import Summary, enough_for, percentile, seconds, summary
from latencies import ORIGINAL, samples

about: Any = pytest.approx  # stands for a float where a whole summary is compared
HEAD = "scenario,request,seconds,status\n"


def test_what_is_written_is_read_again():
    """Names that hold commas, quotes and line ends included."""
    made = (Sample("baseline", 1, 0.125, 200), Sample('a,"b"\nc', 2, 2.0, 0))
    assert parsed(written(made)) == made


def test_columns_in_any_order_and_others_beside_them():
    """As spreadsheets and other tools write them: a mark, blanks, capitals, empty lines."""
    text = "Status, Seconds ,note,request,scenario\r\n200, 1.5,x,1,baseline\r\n\r\n"
    assert parsed(text) == (Sample("baseline", 1, 1.5, 200),)


def test_a_mark_at_the_beginning_is_none_of_the_first_column(tmp_path):
    """Which spreadsheets put there."""
    path = tmp_path / "x.csv"
    path.write_text(HEAD + "a,1,1,200\n", "utf-8-sig")
    assert read(path) == (Sample("a", 1, 1.0, 200),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: found nothing; expected the columns scenario,request,seconds,status"),
        ("scenario,seconds\n", "line 1: found scenario, seconds; expected the columns"),
        (HEAD + "a,1,1\n", "line 2: found 3 cells; expected scenario,request,seconds,status"),
        (HEAD + ",1,1,200\n", "line 2: scenario: found nothing, expected a name"),
        (HEAD + "a,0,1,200\n", 'line 2: request: found "0", expected a whole number from 1 on'),
        (HEAD + "a,1,nan,200\n", 'line 2: seconds: found "nan", expected a number of seconds, like 0.125'),
        (HEAD + "a,1,-1,200\n", 'line 2: seconds: found "-1"'),
        (HEAD + "a,1,1,99\n", 'line 2: status: found "99", expected an HTTP status, or 0 for no answer'),
        (HEAD + "a,1,1,OK\n", 'line 2: status: found "OK"'),
        (HEAD + "a,1,1,200\na,1,2,200\n", 'line 3: request 1 of "a" was in line 2 already'),
        (HEAD + '"a,1,1,200\n', "this is no CSV"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text, said):
    """Column, found and expected."""
    with pytest.raises(SamplesError) as caught:
        parsed(text)
    assert said in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    """A folder, none, and bytes that are no text."""
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path, tmp_path / "none.csv", tmp_path / "x.csv"):
        with pytest.raises(SamplesError, match=r"cannot read the samples .*; name a CSV file"):
            read(path)


def test_summary_of_a_scenario():
    """2xx is success, and nothing else: not 304, not 502, not silence."""
    measured = samples(a="0.1 0.2:201 0.3:304 0.4:502 1.0:0")
    found = summary("a", measured.of("a"))
    assert found == Summary(
        "a", 5, 0.1, about(0.4), 0.3, about(0.88), 1.0, 2, 3,
        ((0, 1), (200, 1), (201, 1), (304, 1), (502, 1)),
    )  # fmt: skip


@pytest.mark.parametrize(("percent", "value"), [(0, 1.0), (25, 1.75), (50, 2.5), (95, 3.85), (100, 4.0)])
def test_percentiles_lie_between_ranks(percent, value):
    """Type 7: figures that NumPy gives for 1, 2, 3, 4."""
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == pytest.approx(value)
    assert percentile([7.0], percent) == 7.0


def test_how_many_samples_a_percentile_needs():
    """One of them lies beyond it."""
    assert [enough_for(percent) for percent in (50, 90, 95, 99, 99.9, 5)] == [2, 10, 20, 100, 1000, 20]


def test_the_figures_of_the_original_report():
    """As its own table has them, but for the medians, which it took from the upper of two samples."""
    told = {}
    for name in ("baseline", "delay_2s", "failure"):
        of = [sample for sample in read(ORIGINAL) if sample.scenario == name]
        found = summary(name, of)
        told[name] = [seconds(each) for each in (found.min, found.avg, found.max)]
    assert told == {
        "baseline": ["6.101", "6.146", "6.167"],
        "delay_2s": ["8.110", "8.151", "8.173"],
        "failure": ["4.068", "4.098", "4.119"],
    }
