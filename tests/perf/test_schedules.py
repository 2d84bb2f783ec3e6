"""How many random schedules a second are carried out, judged on every promise and saved, with the whole reference."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import msgspec
import pytest
from comparing import at_least

from atleastonce.contract import ContractFile
from atleastonce.contract_file import load, parse
from atleastonce.site import laid_out
from atleastonce.workshop import Workshop
from random_schedules import CONTRACT, bad, drawn

pytestmark = [pytest.mark.perf, pytest.mark.timeout(300)]

LANES = 6
TOGETHER = 50
PACKS = 24


def contract(queue_type: str) -> ContractFile:
    """Return the contract of the inventory, for a type of queue."""
    found = load(CONTRACT)
    text = found.text.replace('queue_type = "quorum"', f'queue_type = "{queue_type}"')
    return msgspec.structs.replace(found, text=text, contract=parse(text))


@pytest.mark.parametrize("queue_type", ["quorum", "classic"])
def test_schedules_judged(benchmark, rabbitmq, atleastonce_lifetime, figures, compared, tmp_path, queue_type):
    """On a warm broker and in warm lanes; what is not judged on all promises does not count."""
    todo = drawn((PACKS + LANES) * TOGETHER, 1)
    packs = [todo[start : start + TOGETHER] for start in range(0, len(todo), TOGETHER)]
    site = laid_out(contract(queue_type), rabbitmq, atleastonce_lifetime, Event(), tmp_path)
    with site as laid, Workshop(laid) as workshop, ThreadPoolExecutor(LANES) as lanes:
        list(
            lanes.map(workshop.carry_out_together, packs[:LANES])
        )  # opens the lanes and makes the clean runs

        def carried_out():
            began = time.perf_counter()
            wrong = [
                bad(each) for pack in lanes.map(workshop.carry_out_together, packs[LANES:]) for each in pack
            ]
            return wrong, time.perf_counter() - began

        wrong, seconds = benchmark.pedantic(carried_out, rounds=1)
    assert wrong == [[]] * (PACKS * TOGETHER)
    rows = [row for path in tmp_path.glob("*.jsonl") for row in path.read_bytes().splitlines()]
    saved = sum(row.startswith(b'{"format"') for row in rows)
    assert saved == len(todo)
    rate = len(wrong) / seconds
    figures[f"{queue_type}: schedules/s, observed, judged and saved"] = rate
    compared.figure(f"random schedules, {queue_type}", "schedules/s", rate, at_least(300, figure=True))
    benchmark.extra_info.update(figures)
