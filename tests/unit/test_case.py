"""What a check asks of a history: here, how often each message was delivered."""

from atleastonce.checks.case import Case
from histories import history, seen


def deliveries(happened: str, between: tuple[str, ...] = ()) -> dict[str, int]:
    """Return how often each message was delivered in a history of these events."""
    return Case(history(happened, seen(), seen(), between=between)).deliveries


def test_deliveries_are_counted_by_message() -> None:
    """A duplicate is a second copy of the same message, a redelivery the same copy again."""
    found = deliveries("deliver m1#1; deliver m1#2; fetch m1#2; deliver m10#1; deliver; asked m3#1 =503")
    assert found == {"m1": 3, "m10": 1, "m3": 1}


def test_copy_in_several_queues_is_delivered_once_from_each() -> None:
    """An exchange that puts it into two queues of a service is no duplicate; one that comes again from either is."""
    texts = (
        "deliver m1#1 >in; deliver m1#1 >log",
        "deliver m1#1 >in; deliver m1#1 >log; deliver m1#1 >log again",
    )
    assert [deliveries(text)["m1"] for text in texts] == [1, 2]


def test_what_the_next_service_is_given_twice_is_delivered_twice() -> None:
    """It is the same message, whatever its copy is called there; each service is given it once of its own."""
    once = "published m1#1; deliver m1#1 >in; publish m1 >mail; confirm m1 >mail; deliver m1 >mail"
    assert deliveries(once, between=("mail",))["m1"] == 1
    assert deliveries(f"{once}; closed; deliver m1 >mail", between=("mail",))["m1"] == 2
