"""What the terminal shows while a campaign goes on, and at its end."""

import io
from typing import TYPE_CHECKING

from rich.console import Console
from test_report_files import HOME, found
from test_report_stories import RULES, counterexample, kafka_kill, rabbitmq_cut

from atleastonce.findings import Findings, Judged
from atleastonce.report.progress import Live, Plain, watching
from atleastonce.report.telling import of_counterexample
from atleastonce.report.terminal import MEANINGS, show, summary
from atleastonce.verdict import Tally

if TYPE_CHECKING:
    from atleastonce.watching import Watcher


def console(*, terminal: bool = False) -> Console:
    """Return a console of a known width that writes into memory."""
    return Console(file=io.StringIO(), width=120, force_terminal=terminal, color_system=None, _environ={})


def printed(to: Console) -> str:
    """Return what was printed to a console."""
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def judged() -> Judged:
    """Return a schedule that broke effects-once."""
    return counterexample("effects-once", rabbitmq_cut()).judged


def test_the_table_has_a_symbol_and_three_counts_per_promise() -> None:
    """The story of each counterexample follows, with what replays it."""
    to = console()
    show(
        to, found(), [(of_counterexample(counterexample("nothing-lost", kafka_kill()), RULES), f"{HOME}/c/1")]
    )
    lines = [" ".join(line.split()) for line in printed(to).splitlines()]
    assert "service broker promise verdict kept broken unknown" in lines
    assert "inventory kafka effects-once ✓ kept 20 0 0" in lines
    assert "BROKEN nothing-lost · inventory · confirmed 3 of 3 · shrunk from 9 steps to 3" in lines
    assert lines[-1] == f"replay: atleastonce replay {HOME}/c/1"


def test_the_end_of_a_log_is_shown_once() -> None:
    """It may be the reason why several promises are unknown."""
    to = console()
    why = {"nobody could judge it. The end of its log:\n    bang": 1}
    tallies = {name: Tally(unknown=1, reasons=why) for name in ("nothing-lost", "recovers")}
    show(to, [Findings(service="shop", broker="kafka", tallies=tallies)], [])
    said = printed(to)
    assert (said.count("is unknown"), said.count("bang"), said.count("(as above)")) == (2, 1, 1)


def test_where_clean_runs_differ_is_shown_once() -> None:
    """Each promise that rests on them is unknown for it; what is unknown for more says that, too."""
    to, restless = console(), "two clean runs differ, so these prove nothing: $.at; see observe.ignore"
    tallies = {
        name: Tally(unknown=3, reasons={restless: 2, other: 1})
        for name, other in (("nothing-lost", "too slow"), ("recovers", "not quiet"))
    }
    show(to, [Findings(service="shop", broker="kafka", tallies=tallies, restless=restless)], [])
    lost, recovers = (line for line in printed(to).splitlines() if "is unknown" in line)
    assert lost.endswith(f": {restless} (2 times); too slow (1 time)")
    assert recovers.endswith(": two clean runs differ (as above) (2 times); not quiet (1 time)")


def test_the_summary_closes_with_what_the_command_came_to() -> None:
    """One line: outcomes, schedules, brokers, seconds, exit code."""
    end = f"exit code 1: {MEANINGS[1]}"
    assert summary(found(), "RabbitMQ 3.10.8 (native)", end) == (
        "1 kept, 2 broken, 1 unknown · 62 of 68 schedules · RabbitMQ 3.10.8 (native) · 43.5 s · "
        "exit code 1: a promise is broken"
    )


def test_the_summary_of_what_is_kept_says_what_could_have_been_tried_as_well() -> None:
    """A kept promise was kept on what was tried; where one is broken, that is what counts."""
    kept = Findings(
        service="shop", broker="rabbitmq", tallies={"nothing-lost": Tally(kept=3)}, unexplored=("writes",)
    )
    assert " · not explored: writes · " in summary([kept], "RabbitMQ", "exit code 0")
    kept.tallies["effects-once"] = Tally(broken=1)
    assert "not explored" not in summary([kept], "RabbitMQ", "exit code 1")


def test_plain_progress_prints_a_line_now_and_then_and_failures_at_once() -> None:
    """A log wants to see that it lives, not every schedule."""
    to, now = console(), iter([0.0, 0.0, 1.0, 7.0, 7.0, 7.0])
    watcher = Plain(to, RULES, clock=lambda: next(now))
    watcher.stage("schedules", 3)
    for _ in range(3):
        watcher.judged(judged())
    watcher.broken("effects-once", judged())
    lines = printed(to).splitlines()
    assert lines[:4] == [
        "schedules: 3",
        "schedules: 2 of 3  ✓ 0 kept  ✗ 2 broken  ? 0 unknown",
        "schedules: 3 of 3  ✓ 0 kept  ✗ 3 broken  ? 0 unknown",
        "BROKEN effects-once · inventory · seen once, not confirmed yet · 2 steps, not shrunk yet",
    ]


def test_live_progress_prints_failures_above_its_line() -> None:
    """The bar goes away at the end, the failure stays."""
    to = console(terminal=True)
    with watching(to, RULES) as watcher:
        assert isinstance(watcher, Live)
        watcher.stage("schedules", 2)
        watcher.judged(judged())
        watcher.broken("effects-once", judged())
        watcher.stage("shrink effects-once")
    assert "BROKEN effects-once · inventory · seen once" in printed(to)


def test_both_are_watchers_of_a_campaign() -> None:
    """The report does not import the campaign, so this is where the two are held together."""
    with watching(console(), RULES) as plain, watching(console(terminal=True), RULES) as live:
        watchers: list[Watcher] = [plain, live]
    assert [type(each) for each in watchers] == [Plain, Live]
