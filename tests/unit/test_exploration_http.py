"""What is tried of the requests between services."""

from typing import Any

from atleastonce.contract import BrokerTable, Contract, Input, Service
from atleastonce.exploration.duplicates import duplicates
from atleastonce.exploration.http import asked_first, http
from atleastonce.exploration.outages import outages
from atleastonce.schedule import Schedule
from histories import history, seen

CALM = history(
    "request m1 *shop ^depot >take; response m1 *shop ^depot =200; request *shop ^depot >health; asked m1#1 =200; "
    "published m1#1; request m2 *shop ^depot >take; response m2 *shop ^depot =200; asked m2#1 =200; published m2#1",
    seen(),
    seen(),
)
RETRIES = {"attempts": 3, "schedule": []}


def contract(**promises: Any) -> Contract:
    """Return the contract of a shop and a depot without a broker."""
    return Contract(
        broker=BrokerTable(kind="http"),
        input=Input(http="POST http://h/", message="whole"),
        services=dict.fromkeys(("shop", "depot"), Service(command="run")),
        promises={"effects-once": True, **promises},
    )


def told(message: str, **promises: Any) -> list[str]:
    """Return the schedules about a message, in words."""
    return [each.describe() for each in http(CALM, contract(**promises)) if about(each) == message]


def about(schedule: Schedule) -> str:
    """Return the message that the traps of a schedule are about."""
    return schedule.traps[0].message


def test_over_http_copies_also_come_at_the_same_time() -> None:
    """Of each message, and of all; nobody else brings it about that two requests overlap."""
    found = [each.describe() for each in duplicates(CALM, contract())]
    assert found[-3:] == [
        "burst m1; publish m2",
        "publish m1; burst m2",
        "burst m1; burst m2",
    ]
    assert all("burst" not in each for each in found[:-3])


def test_what_is_sent_in_is_struck_on_its_way() -> None:
    """Whoever sends is told nothing, or the service ends; one that was sent again in the calm run counts once."""
    calm = history(
        "entered m1 *x ^shop >pay; entered m1 *x ^shop >pay; asked m1#1 =200; published m1#1", seen(), seen()
    )
    found = [each.describe() for each in http(calm, contract())]
    between = "(m1) between shop and the client"
    assert found == [
        f"publish m1; cut before response{between}",
        f"publish m1; start shop; kill after request{between}",
        f"publish m1; start shop; kill before response{between}",
        f"publish m1; start shop; kill after response{between}",
        f"publish m1; start shop; stop after request{between}",
    ]
    assert [*asked_first(calm, contract())] == [("shop", "the client", "m1")]
    assert [*asked_first(CALM, contract())] == [("depot", "shop", "m1"), ("depot", "shop", "m2")]


def test_who_answers_slowly_is_killed_in_the_midst_of_it() -> None:
    """The slowest answer of each service, to the client or to another one; none that took less than 20 ms."""
    slow = history(
        "entered m1 *x ^shop >pay; request m1 *shop ^depot +0.01; response m1 *shop ^depot +0.024; "
        "asked m1#1 =200 +0.006; "
        "entered m2 *x ^shop >pay; request m2 *shop ^depot; response m2 *shop ^depot +0.019; asked m2#1 =200; "
        "published m1#1; published m2#1",
        seen(),
        seen(),
    )
    late = [each.describe() for each in http(slow, contract()) if "ms after" in each.describe()]
    assert late == [
        f"publish m1; start {service}; publish m2; kill {later} after request(m1) between {service} and {other}"
        for service, other, times in (
            ("depot", "shop", (6, 12, 18)),
            ("shop", "the client", (10, 20, 30)),
        )
        for later in (f"{each}ms" for each in times)
    ]


def test_every_request_of_a_message_is_struck_in_every_way() -> None:
    """What ends is started behind the message, before others would only find it gone; once, when all have given up."""
    ends = [
        f"publish m1; start {service}; publish m2; {fault}(m1) between {service} and {other}"
        for service, other in (("shop", "depot"), ("depot", "shop"))
        for fault in (
            *(f"kill {when} {event}" for event in ("request", "response") for when in ("before", "after")),
            "stop after request",
        )
    ]
    faults = ["fail before request", "cut before request", "cut before response", "time-out before response"]
    assert told("m1") == [
        *(f"publish m1; publish m2; {fault}(m1) between shop and depot" for fault in faults),
        "publish m1; wait 0s; start depot; publish m2; kill before response(m1) between depot and shop",
        *ends,
    ]


def test_what_is_retried_fails_as_often_as_it_is_tried() -> None:
    """Only what the contract declares so."""
    times = ("m2", "m2, time 2", "m2, time 3")
    always = "; ".join(f"fail before request({each}) between shop and depot" for each in times)
    assert f"publish m1; publish m2; {always}" in told("m2", **{"backs-off": RETRIES})
    for calls in (["depot"], ["depot take"], ["depot look"], ["shop"]):
        found = told("m2", **{"backs-off": {**RETRIES, "calls": calls}})
        assert (f"publish m1; publish m2; {always}" in found) is (calls in (["depot"], ["depot take"]))


def test_only_who_asks_is_cut_off_where_there_is_no_broker() -> None:
    """The others have no links of their own, and nothing waits for them in a queue."""
    found = outages(CALM, contract(recovers=True, **{"backlog-drains": True}))
    assert [each.describe() for each in found if not each.restarts_broker] == [
        "publish m1; isolate shop; publish m2; mend shop; publish m3",
        "publish m1; cut shop; publish m2",
    ]
