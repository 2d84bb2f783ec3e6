"""How many crash points a second are walked on two lanes, and how soon a service that acknowledges first is told."""

import time
from pathlib import Path

import pytest
from comparing import at_most

from atleastonce.campaign import Plan
from atleastonce.commands import reference
from atleastonce.findings import Judged
from atleastonce.watching import Silent

pytestmark = [pytest.mark.perf, pytest.mark.timeout(300)]

HERE = Path(__file__).parent
CONTRACTS = HERE.parents[1] / "src" / "campus_food" / "contracts"
WALKED = {
    "reference on RabbitMQ": CONTRACTS / "rabbitmq.toml",
    "reference on Kafka": CONTRACTS / "kafka.toml",
    "small consumer": HERE / "small_consumer.toml",
}


class Clock(Silent):
    """Remembers when each stage began, when the latest schedule was judged, and when a promise was first broken."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.latest = self.broke = 0.0

    def stage(self, what: str, total: int | None = None) -> None:  # noqa: ARG002
        """Take the time of a stage."""
        self.began.setdefault(what, time.perf_counter())

    def judged(self, judged: Judged) -> None:  # noqa: ARG002
        """Take the time of the latest one."""
        self.latest = time.perf_counter()

    def broken(self, promise: str, judged: Judged) -> None:  # noqa: ARG002
        """Take the time of the first one."""
        self.broke = self.broke or time.perf_counter()


@pytest.mark.parametrize("walked", WALKED)
def test_crash_points(benchmark, subject, figures, compared, walked):
    """Once the clean runs are made; where a lane is laid anew, that counts."""
    service, clock = subject(WALKED[walked]), Clock()
    plan = Plan(explore=("crash",))
    found = benchmark.pedantic(service.verify, args=(plan, clock), rounds=1).findings
    rate = found.carried_out / (clock.latest - clock.began["schedules"])
    figures[f"{walked}: crash points/s"] = rate
    compared.figure(f"crash points, {walked}", "schedules/s", rate)
    assert sum(tally.broken + tally.unknown for tally in found.tallies.values()) == 0, found.tallies


def test_first_verdict(benchmark, subject, figures, compared, tmp_path):
    """From the moment at which the service is ready, with everything promised and explored."""
    contract = reference.contract(tmp_path, "rabbitmq", "ack-first", "campus_food.mutants.ack_first")
    clock = Clock()
    plan = Plan(until="nothing-lost", confirm=1, shrink_budget=0, recovery=0)
    found = benchmark.pedantic(subject(contract).verify, args=(plan, clock), rounds=1).findings
    assert found.tallies["nothing-lost"].outcome == "broken"
    seconds = clock.broke - clock.began["clean runs"]
    figures["ack-first: seconds to the first broken verdict"] = seconds
    compared.figure("first verdict on ack-first", "s", seconds, at_most(5, figure=True))


def test_whole_verification(benchmark, subject, figures, compared):
    """Every promise of the reference, with all that is explored for three messages, on a broker that runs already."""
    service = subject(WALKED["reference on RabbitMQ"])
    found = benchmark.pedantic(service.verify, rounds=1).findings
    assert found.outcome == "kept", found.tallies
    figures["reference on RabbitMQ: seconds for every promise"] = benchmark.stats.stats.max
    figures["reference on RabbitMQ: schedules for every promise"] = found.carried_out
    what = f"every promise, {found.carried_out} schedules"
    compared.figure(what, "s", benchmark.stats.stats.max, at_most(30, figure=True))
