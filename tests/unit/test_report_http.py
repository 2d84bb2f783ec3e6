"""Stories of what services ask each other over HTTP, and their charts."""

from typing import Any

import msgspec

from atleastonce.checks import judge
from atleastonce.faults import RULES
from atleastonce.history import History
from atleastonce.report.chart import svg
from atleastonce.report.markdown import mermaid
from atleastonce.report.narrative import narrative
from atleastonce.report.telling import retell
from atleastonce.schedule import Trap
from histories import history, seen

CLEAN = {"/taken/<m1.id>": {"times": 1}}
LOST = Trap(when="before", event="response", message="m1", service="shop", link="depot", do="cut")
REFUSED = Trap(when="before", event="request", message="m1", service="shop", link="depot", do="fail")


def told(happened: str, times: int, trap: Trap, **declared: Any) -> History:
    """Return a history of a shop that asks a depot, with what the depot shows."""
    found = history(
        happened.replace("SPRUNG", f"sprung m1 *shop ^depot: {trap.describe()}"),
        seen(CLEAN),
        seen({"/taken/<m1.id>": {"times": times}}),
        before={"/taken/<m1.id>": {"times": 0}},
        traps=(trap,),
        **declared,
    )
    return msgspec.structs.replace(
        found, header=msgspec.structs.replace(found.header, broker="http", services=("shop", "depot"))
    )


TWICE = told(
    "request m1 *shop ^depot >POST/take @1: key a; SPRUNG; cut *shop ^depot @1; "
    "request m1 *shop ^depot >POST/take @2: key b; response m1 *shop ^depot >POST/take =200 @2; "
    "asked m1#1 =200; published m1#1; quiet; canary: took 0.1 s",
    2,
    LOST,
)


def test_second_request_under_another_key_is_marked() -> None:
    """Our own request comes first, though its answer was the last to be noted."""
    assert narrative(retell(TWICE, judge(TWICE, "effects-once"), RULES)).splitlines() == [
        "BROKEN effects-once · shop, depot",
        "  1         ask      m1 (m1)       answered 200",
        "  2  shop   request  m1 POST/take  → depot, not answered",
        "  3  ✂ shop: link cut before response(m1) reached shop  allowed: a connection may break at any moment",
        "  4  shop   request  m1 POST/take  → depot, answered 200   ◄ again, under another key",
        "  /taken/m1 times: 2, expected 1 (clean run)",
    ]


def test_an_answer_that_came_too_late_never_arrived() -> None:
    """The relay has it from who was killed; and who only sends, and tells nothing, has no part in the chart."""
    killed = Trap(when="before", event="response", message="m1", service="depot", link="shop", do="kill")
    found = told(
        "entered m1 *client ^shop; request m1 *shop ^depot >POST/take: key a; SPRUNG; kill *depot; "
        "response m1 *shop ^depot >POST/take =200; start *depot; request m1 *shop ^depot >POST/take @2: key a; "
        "response m1 *shop ^depot >POST/take =200 @2; asked m1#1 =200; published m1#1; quiet; canary: took 0.1 s",
        2,
        killed,
    )
    story = retell(found, judge(found, "effects-once"), RULES)
    said = [line for line in narrative(story).splitlines() if "response" in line and "✂" not in line]
    assert said == ["  4  shop   response  m1 POST/take  answered 200, which never arrived"]
    assert story.participants == ("shop", "depot")


def test_an_end_that_was_asked_for_is_told_once() -> None:
    """Whichever end of the link the trap watched: the service that ends is the one that was asked."""
    stops = Trap(when="after", event="request", message="m1", service="depot", link="shop", do="stop")
    found = told(
        "request m1 *shop ^depot >POST/take: key a; SPRUNG; stop *depot; closed *shop ^depot; start *depot; "
        "request m1 *shop ^depot >POST/take: key a; response m1 *shop ^depot >POST/take =200; "
        "asked m1#1 =200; published m1#1; quiet; canary: took 0.1 s",
        2,
        stops,
    )
    said = narrative(retell(found, judge(found, "effects-once"), RULES))
    (strike,) = [line for line in said.splitlines() if "✂" in line]
    assert strike == (
        "  3  ✂ depot: stopped after request(m1) had reached depot  "
        "allowed: a process may be asked to end at any moment"
    )


def test_last_attempt_is_marked_where_it_came_too_soon() -> None:
    """What the services have decided is told, too."""
    found = told(
        "SPRUNG; request m1 *shop ^depot >POST/take!; response m1 *shop ^depot >POST/take =503; "
        "asked m1#1 =502; declined m1#1 =502; quiet",
        0,
        REFUSED,
        promised={"backs-off": {"attempts": 3, "schedule": []}},
    )
    assert narrative(retell(found, judge(found, "backs-off"), RULES)).splitlines() == [
        "BROKEN backs-off · shop, depot",
        "  1         ask      m1 (m1)       answered 502",
        "  2  ✂ shop: answered 503 before request(m1) reached depot  allowed: a dependency may fail at any moment",
        "  3  shop   request  m1 POST/take  → depot, answered 503, and never arrived   ◄ the last, 3 promised",
        "  4         decline  m1            answered 502 for good",
        "  depot POST/take for m1 was tried once, 3 declared",
    ]


def test_charts_have_no_broker_and_arrows_between_services() -> None:
    """In Mermaid and in SVG."""
    story = retell(TWICE, judge(TWICE, "effects-once"), RULES)
    lines = [line.strip() for line in mermaid(story).splitlines()]
    assert lines[1:4] == [
        "participant runner as atleastonce",
        "participant service as shop",
        "participant service2 as depot",
    ]
    assert "service->>service2: request m1 POST/take<br/>→ depot, not answered" in lines
    assert "service2-xservice: response m1" in lines
    chart = svg(story, "a chart")
    assert ">RabbitMQ<" not in chart
    assert 'class="arrow callee"' not in chart
