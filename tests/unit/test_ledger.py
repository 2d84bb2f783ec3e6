"""The ledger: what became of each copy, as a broker would see it."""

import pytest

from atleastonce.ledger import Ledger
from histories import events


def ledger(happened: str, between: tuple[str, ...] = ()) -> Ledger:
    """Return the ledger after these events."""
    found = Ledger(["out", "dead"], between)
    found.feed(events(happened))
    return found


@pytest.mark.parametrize(
    ("happened", "unsettled"),
    [
        ("", ()),
        ("published m1#1", ("m1#1",)),
        ("published m1#1!", ()),
        ("published m1#1; deliver m1#1", ("m1#1",)),
        ("published m1#1; deliver m1#1; ack m1#1", ()),
        ("published m1#1; deliver m1#1; reject m1#1", ()),
        ("published m1#1; deliver m1#1; nack m1#1", ()),
        ("published m1#1; deliver m1#1; requeue m1#1", ("m1#1",)),
        ("published m1#1; deliver m1#1 auto", ()),
        ("published m1#1; published m1#2; deliver m1#1; ack m1#1", ("m1#2",)),
        ("deliver m1#1; ack m1#1; published m1#1", ()),
        ("published m1#1; fetch m1#1", ("m1#1",)),
        ("published m1#1; fetch m1#1; commit m1#1", ("m1#1",)),
        ("published m1#1; fetch m1#1; commit m1#1; response m1#1", ()),
        ("published m1#1; fetch m1#1; seen m1#1", ()),
        ("published m1#1; fetch m1#1; seen m1#1; fetch m1#1", ("m1#1",)),
    ],
)
def test_copy_is_settled_by_what_passed(happened: str, unsettled: tuple[str, ...]) -> None:
    """Only a settlement that passed settles: an ack, a refusal, the broker's answer to a commit; else what was seen."""
    assert ledger(happened).unsettled() == unsettled


@pytest.mark.parametrize("settled", ["ack m1#1", "reject m1#1"])
def test_settlement_that_the_broker_never_learnt_of_does_not_count(settled: str) -> None:
    """A copy that is delivered again after its ack was not settled, and is owed once more."""
    again = f"published m1#1; deliver m1#1; {settled}; closed; deliver m1#1 again"
    assert ledger(again + "; closed").unsettled() == ("m1#1",)
    assert ledger(again + f"; {settled}").unsettled() == ()


def test_what_no_service_holds_waits_in_a_queue_or_nowhere() -> None:
    """What is in hand may still be settled; once its link is gone, nobody has it."""
    assert ledger("published m1#1; published m2#1; deliver m1#1").in_nobodys_hand == ("m2#1",)
    assert ledger("published m1#1; deliver m1#1; closed").in_nobodys_hand == ("m1#1",)
    assert ledger("published m1#1; deliver m1#1; ack m1#1").in_nobodys_hand == ()


def test_copy_that_was_published_again_waits_somewhere_else() -> None:
    """In a topic for retries: that its first offset is committed says nothing of the second."""
    retried = ledger("published m1#1; fetch m1#1; produce m1#1 >retry; response m1#1")
    assert (retried.is_passed_on("m1#1"), retried.unsettled()) == (True, ("m1#1",))
    assert not ledger("published m1#1; fetch m1#1").is_passed_on("m1#1")


def test_record_of_a_topic_of_retries_is_counted_once() -> None:
    """One that is not due is read, put back and read again; in a topic that it only consumes, each reading counts."""
    waits = "fetch m1#1 >retry &0; fetch m1#1 >retry &0; fetch m1#1 >retry &0; "
    tried = f"published m1#1; fetch m1#1 >in &3; fetch m1#1 >in &3; produce m1#1 >retry; {waits}"
    assert ledger(tried).delivered["m1#1"] == 3
    assert ledger(f"{tried}produce m1#1 >retry; {waits.replace('&0', '&1')}").delivered["m1#1"] == 4


@pytest.mark.parametrize(("passed_on", "ways"), [("", 2), ("publish m1#1 >log; ", 1)])
def test_each_queue_that_an_exchange_fills_is_a_way_in(passed_on: str, ways: int) -> None:
    """From each of them a copy may be tried as often as from one; a queue that the subject fills is none."""
    assert ledger("published m1#1").ways_in("m1#1") == 1
    assert ledger(f"published m1#1; deliver m1#1 >in; {passed_on}deliver m1#1 >log").ways_in("m1#1") == ways


def test_copy_that_its_group_has_passed_over_is_settled() -> None:
    """Once: where it is delivered all the same, offsets were moved back, and it is owed again."""
    passed = "published m1#1; passed-over m1#1"
    assert ledger(passed).unsettled() == ()
    assert ledger(f"{passed}; passed-over m1#1; fetch m1#1").unsettled() == ("m1#1",)


@pytest.mark.parametrize("back", ["requeue m1#1", "closed"])
def test_what_was_given_back_may_be_set_aside_by_the_broker(back: str) -> None:
    """A limit of deliveries, at the broker, makes a dead letter of it: there it is settled."""
    taken_back = f"published m1#1; deliver m1#1; {back}"
    assert ledger(taken_back).given_back
    assert not ledger(taken_back + "; deliver m1#1 again").given_back
    assert not ledger("published m1#1; deliver m1#1; ack m1#1; closed").given_back
    set_aside = ledger(taken_back + "; arrived m1#1 >dead")
    assert (set_aside.unsettled(), set_aside.given_back) == ((), False)


@pytest.mark.parametrize("publish", ["publish", "produce"])
def test_retry_through_another_queue_opens_an_entry_of_its_own(publish: str) -> None:
    """A copy that the subject publishes again is owed twice, until both are settled."""
    retried = f"published m1#1; deliver m1#1; {publish} m1#1 >retry; ack m1#1"
    assert ledger(retried).unsettled() == ("m1#1",)
    assert ledger(retried + "; deliver m1#1; ack m1#1").unsettled() == ()


@pytest.mark.parametrize("queue", ["out", "dead"])
def test_copy_at_its_end_is_owed_nothing(queue: str) -> None:
    """Outputs and dead letters that carry our header on are not waited for."""
    assert ledger(f"published m1#1; deliver m1#1; publish m1#1 >{queue}; ack m1#1").unsettled() == ()


@pytest.mark.parametrize("refused", ["return m1#1 >retry", "confirm m1#1 >retry!"])
def test_retry_that_never_arrived_is_owed_nothing(refused: str) -> None:
    """A publication that was returned or refused lies in no queue."""
    retried = "published m1#1; deliver m1#1; ack m1#1; publish m1#1 >retry"
    assert ledger(f"{retried}; {refused}").unsettled() == ()


def test_copy_that_was_set_aside_is_settled_where_it_arrives() -> None:
    """A queue that the contract does not name may give it back: it waits until it lies at an end."""
    passed_on = "published m1#1; deliver m1#1; publish m1#1 >aside; ack m1#1"
    assert ledger(passed_on).unsettled() == ("m1#1",)
    assert ledger(f"{passed_on}; arrived m1#1").unsettled() == ()
    assert ledger("published m1#1; deliver m1#1; reject m1#1; arrived m1#1").unsettled() == ()


@pytest.mark.parametrize(
    "left", ["reject m1#1", "nack m1#1", "publish m1#1 >retry/in; confirm m1#1 >retry/in; ack m1#1"]
)
@pytest.mark.parametrize(("met", "there"), [("", True), ("arrived m1#1", False), ("deliver m1#1", False)])
def test_copy_that_left_the_service_is_on_its_way_until_it_is_met(left: str, met: str, there: bool) -> None:
    """Set aside, or given to an exchange: it may lie in a queue that nobody has told us of."""
    found = ledger(f"published m1#1; deliver m1#1; {left}; {met}")
    assert ("m1#1" in found.on_its_way) is there
    assert bool(found.unsettled()) is (met == "deliver m1#1")


def test_what_is_acknowledged_or_has_to_come_again_is_not_on_its_way() -> None:
    """An acknowledgement is the end; a copy that the broker took back is with it."""
    assert not ledger("published m1#1; deliver m1#1; ack m1#1").on_its_way
    assert not ledger("published m1#1; deliver m1#1; requeue m1#1").on_its_way


def test_copy_that_went_to_an_exchange_is_owed_when_it_comes_again() -> None:
    """Nobody knows where an exchange leads; an audit log never gives anything back."""
    passed_on = "published m1#1; deliver m1#1; publish m1#1 >audit/key; ack m1#1"
    assert ledger(passed_on).unsettled() == ()
    assert ledger(f"{passed_on}; deliver m1#1").unsettled() == ("m1#1",)
    assert ledger(f"{passed_on}; deliver m1#1; ack m1#1").unsettled() == ()


@pytest.mark.parametrize(
    ("more", "doubtful"),
    [
        ("", ("m1#1",)),
        ("closed @2; ", ()),
        ("fetch m1#1 @3; ", ()),
        ("committed m1#1; ", ()),
    ],
    ids=["its link died", "another link died", "fetched again", "the broker has it"],
)
def test_commit_whose_answer_was_lost_is_doubtful(more: str, doubtful: tuple[str, ...]) -> None:
    """It may have been done: then the record never comes again, and nothing else would settle it."""
    closed = "" if "@2" in more else "closed @1; "
    happened = f"published m1#1; fetch m1#1 @1; commit m1#1 @1; {closed}{more}"
    found = ledger(happened)
    assert found.doubtful == doubtful
    assert found.unsettled() == (() if "committed" in more else ("m1#1",))
    assert ledger(f"published m1#1; fetch m1#1; commit m1#1; response m1#1; {closed}").doubtful == ()


def test_delivery_in_hand_blocks_even_if_it_is_not_ours() -> None:
    """A message that the subject holds unacknowledged is work under way, whoever sent it."""
    assert ledger("deliver").unsettled() == ("a message that is not ours",)
    assert ledger("deliver; closed").unsettled() == ()


def test_closed_link_gives_back_only_its_own() -> None:
    """What another link holds stays in hand."""
    held = ledger("deliver m1#1 @1; deliver m2#1 @2; closed @1")
    assert held.unsettled() == ("m2#1",)


def test_closed_channel_gives_back_only_its_own() -> None:
    """What another channel of the same link holds stays in hand, publications included."""
    held = ledger("deliver m1#1 @1/1; deliver m2#1 @1/2; publish m3 >out @1/2; closed @1/1")
    assert (held.unsettled(), held.unconfirmed) == (("m2#1",), 1)


def test_publications_wait_for_their_confirm_on_live_links() -> None:
    """A confirm, or the end of the link, ends the waiting."""
    texts = ("publish m1 >out", "publish m1 >out; confirm m1 >out", "publish m1 >out; closed")
    assert [ledger(text).unconfirmed for text in texts] == [1, 0, 0]


@pytest.mark.parametrize(
    ("happened", "unsettled"),
    [
        ("publish m1 >mail *shop; confirm m1 >mail *shop", ("mail:m1",)),
        ("publish m1 >mail *shop; deliver m1 >mail *post", ("mail:m1",)),
        ("publish m1 >mail *shop; deliver m1 >mail *post; ack m1 >mail *post", ()),
        ("publish m1 >mail *shop; return m1 >mail *shop", ()),
        ("publish m1 >mail *shop; publish m2 >mail *shop; deliver m1 >mail; ack m1 >mail", ("mail:m2",)),
        ("publish m1 >out *shop", ()),
        ("publish >mail *shop", ()),
    ],
)
def test_what_one_service_hands_on_to_the_next_is_owed(happened: str, unsettled: tuple[str, ...]) -> None:
    """Until the next has settled it, as a copy named by queue and message; at its end it is owed nothing."""
    assert ledger(happened, between=("mail",)).unsettled() == unsettled


def test_without_a_chain_nothing_is_handed_on() -> None:
    """What leaves a single service is its output, whatever the queue is called."""
    assert ledger("publish m1 >mail; confirm m1 >mail").unsettled() == ()


def test_copy_taken_over_http_is_settled_by_its_answer() -> None:
    """A request is a delivery; who got no 2xx is owed nothing, and asks again."""
    unanswered = "asked m1#1 =0; asked m1#1 =503"
    taken = f"{unanswered}; asked m1#1 =200; published m1#1 =200 auto"
    for text, times in ((unanswered, 2), (taken, 3)):
        assert (ledger(text).unsettled(), ledger(text).delivered["m1#1"]) == ((), times)


PASSED_ON = "published m1#1; deliver m1#1; publish m1#1 >retry; ack m1#1"


def test_unconfirmed_publication_is_lost_with_a_cut_link() -> None:
    """Nobody knows whether the broker took it: it is not awaited, and owed once it is delivered."""
    cut = f"{PASSED_ON}; cut; closed"
    assert (ledger(cut).unsettled(), ledger(cut).unconfirmed) == ((), 0)
    assert ledger(f"{cut}; deliver m1#1; closed").unsettled() == ("m1#1",)
    assert ledger(f"{cut}; deliver m1#1; ack m1#1").unsettled() == ()


@pytest.mark.parametrize("end", ["kill", "stop", "exit"])
def test_unconfirmed_publication_of_a_service_that_ended_is_owed(end: str) -> None:
    """Its link was buried, so the broker took all that it had sent; started again, its links can be cut."""
    ended = f"{PASSED_ON}; {end}; closed"
    assert (ledger(ended).unsettled(), ledger(ended).unconfirmed) == (("m1#1",), 0)
    assert ledger(f"{ended}; start; deliver m1#1; ack m1#1").unsettled() == ()
    assert ledger(f"{end}; start; {PASSED_ON}; cut; closed").unsettled() == ()


def test_end_of_one_service_says_nothing_of_another() -> None:
    """What the other has published unconfirmed is lost with its own cut link."""
    other = "published m1#1; publish m1#1 >retry *mail; ack m1#1; kill *shop; cut *mail; closed *mail"
    assert ledger(other).unsettled() == ()
