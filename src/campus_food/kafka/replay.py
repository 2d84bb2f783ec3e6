"""Makes the report once more, from offset zero: `python -m campus_food.kafka.replay`.

With a group of its own, and metrics that begin with nothing; what is folded, and how, is the code of analytics.
"""

import argparse
import json
import os
import sys
import time
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from campus_food.kafka.clients import Cluster, Place, cluster_from, consumer_settings
from campus_food.kafka.consumer import END
from campus_food.kafka.lag import Ends
from campus_food.kafka.metrics import Metrics
from campus_food.kafka.reading import Reader
from campus_food.kafka.report import Report, side_by_side
from campus_food.settings import SettingError

BATCH = 10_000
GLANCE = 0.1
# Seconds without anything new after which a replay gives up: more than a broker gives an open transaction.
PATIENCE = 60.0

DIFFERENT, WRONG_CALL, FAILED = 1, 2, 3


class NoEnd(Exception):  # noqa: N818 - it names what was missed
    """The end of the log did not come, for instance since it lies behind an open transaction."""


def high_watermarks(cluster: Cluster) -> dict[Place, int]:
    """Return where the partitions of both topics end now; raises `KafkaException`."""
    broker = Ends(cluster)
    return broker.ends(broker.partitions([cluster.orders, cluster.events]))


def replay(cluster: Cluster, until: Mapping[Place, int], metrics: Metrics, reader: Reader) -> Metrics:
    """Fold everything that lies before these offsets into the metrics; raises `KafkaException` or `NoEnd`."""
    fresh = replace(cluster, group=f"{cluster.group}-replay-{uuid.uuid4().hex}")
    left = {place: end for place, end in until.items() if end > 0}
    with closing(Consumer(consumer_settings(fresh))) as client:
        client.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in left])
        deadline = time.monotonic() + PATIENCE
        while left:
            got = client.consume(BATCH, GLANCE)
            if got:
                deadline = time.monotonic() + PATIENCE
            elif time.monotonic() > deadline:
                raise NoEnd(f"nothing came for {PATIENCE:g} s, and these ends were not reached: {left}")
            _fold(got, until, metrics, reader)
            _strike_out(got, left)
    return metrics


def _fold(got: Sequence[Message], until: Mapping[Place, int], metrics: Metrics, reader: Reader) -> None:
    records: list[Any] = [record for record in got if record.error() is None]
    within = [r for r in records if r.offset() < until.get((r.topic(), r.partition()), 0)]
    facts, _poison = reader.read(within, {})
    metrics.add(metrics.news(facts))


def _strike_out(got: Sequence[Message], left: dict[Place, int]) -> None:
    """Take out the partitions that were read to their ends."""
    reached: dict[Any, int] = {}
    for each in got:
        error, offset = each.error(), each.offset() or 0
        if error is not None and error.code() != END:
            raise KafkaException(error)
        reached[(each.topic(), each.partition())] = offset if error is not None else offset + 1
    for place, offset in reached.items():
        if offset >= left.get(place, offset + 1):
            del left[place]


def answer(live: Report, replayed: Report, *, behind: bool = False) -> dict[str, Any]:
    """Return both reports; where the live one is still `behind`, they cannot be compared."""
    return {
        "live": {"digest": live.digest, "report": live.figures},
        "replay": {"digest": replayed.digest, "report": replayed.figures},
        "equal": live.digest == replayed.digest,
        "live_is_behind": behind,
    }


def shown(live: Report, replayed: Report) -> str:
    """Return both reports side by side, and whether they are equal."""
    verdict = "equal digests" if live.digest == replayed.digest else "DIFFERENT digests"
    return side_by_side(live, replayed, ("LIVE", "REPLAY")) + f"\n{verdict}"


def main(words: Sequence[str] | None = None) -> int:
    """Replay, and print the report, beside that of a running service where one is named; 0 if they are equal."""
    parser = argparse.ArgumentParser(description="Make the metrics report once more, from offset zero.")
    parser.add_argument("--beside", metavar="URL", help="analytics, for instance http://127.0.0.1:8003")
    beside: str | None = parser.parse_args(words).beside
    try:
        cluster = cluster_from(os.environ, "analytics")
        made = replay(cluster, high_watermarks(cluster), Metrics(), Reader(cluster)).report()
    except SettingError as error:
        print(f"Cannot start: {error}", file=sys.stderr)
        return WRONG_CALL
    except (KafkaException, NoEnd) as error:
        print(f"Not replayed: {error}", file=sys.stderr)
        return FAILED
    if beside is None:
        print(f"{made.text}\n{made.digest}")
        return 0
    live = _live(beside)
    print(shown(live, made))
    return 0 if live.digest == made.digest else DIFFERENT


def _live(url: str) -> Report:
    with urllib.request.urlopen(f"{url}/report") as response:  # noqa: S310 - the user's own address
        figures = json.load(response)["report"]
    return Report(figures["total_orders"], figures["failed_orders"], figures["orders_by_minute"])


if __name__ == "__main__":
    sys.exit(main())
