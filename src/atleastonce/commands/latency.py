"""``atleastonce latency`` measures scenarios, or takes samples of somebody else, and judges the claims about them."""

import os
import threading
from datetime import datetime
from importlib import resources
from pathlib import Path

from rich.console import Console

from atleastonce.commands import reference
from atleastonce.commands.interruption import terminable
from atleastonce.commands.presenting import made
from atleastonce.conversion import near
from atleastonce.errors import ScenarioError, UsageError
from atleastonce.latency.findings import LatencyFindings, found
from atleastonce.latency.samples import Measured, Sample, read
from atleastonce.latency.scenario import LatencyFile
from atleastonce.latency.scenario_file import load
from atleastonce.lifetimes import Lifetime
from atleastonce.measuring.fleet import standing
from atleastonce.measuring.requests import measure
from atleastonce.report import latency_folder, latency_markdown, latency_terminal
from atleastonce.report.folder import default_folder

SHIPPED = ("part_a", "original_report")
"""Scenario files of our own, by name: the default, and the default where given samples are judged."""
EXIT_CODES = {"kept": 0, "broken": 1, "unknown": 3}
_MEANINGS = {
    0: "every claim kept",
    1: "a claim is broken",
    3: "nothing is broken, but not every claim could be judged",
}


def run(file: Path | None, *, judge: Path | None, report: Path | None) -> int:
    """Measure or read, judge, show and write, and return the exit code."""
    console = Console(highlight=False)
    began = datetime.now().astimezone()
    scenarios = _file(file or Path(SHIPPED[0] if judge is None else SHIPPED[1]))
    given = None if judge is None else read(judge)  # before a folder is made for what cannot be read
    folder = made(report or _folder(scenarios, judge, began))
    if judge is None or given is None:
        if file is None or str(file) in SHIPPED:
            reference.need("atleastonce latency")  # to judge samples takes none of the services
        measured = _measured(scenarios, console)
        when = began.strftime("%Y-%m-%d %H:%M:%S %Z")
        origin = f"Measured on {when}, one request after the other, on {os.cpu_count()} cores."
    else:
        measured = Measured(given)
        origin = latency_markdown.judged_origin(judge, scenarios.path)
    return _present(console, folder, found(scenarios, measured, origin))


def _present(console: Console, folder: Path, judged: LatencyFindings) -> int:
    page = latency_folder.write(folder, judged)
    latency_terminal.show(console, judged)
    code = EXIT_CODES[judged.outcome] if judged.verdicts else 0
    end = f"exit code {code}: {_MEANINGS[code] if judged.verdicts else 'no claims were made'}"
    console.print(end, markup=False, soft_wrap=True)
    console.print(f"report: {page}", style="dim", markup=False, soft_wrap=True)
    return code


def _measured(scenarios: LatencyFile, console: Console) -> Measured:
    """Start the services, send the requests, and print a line for each."""
    request = scenarios.latency.request
    if request is None:
        raise ScenarioError(
            f"{scenarios.path}: request: found none, so there is nothing to send; "
            "add the table [request], or judge samples with --judge CSV"
        )

    def watch(sample: Sample, requests: int, ended: str) -> None:
        console.print(latency_terminal.progress(sample, requests, ended), markup=False, soft_wrap=True)

    cwd = scenarios.path.resolve().parent
    with (
        terminable(threading.Event()),
        Lifetime() as lifetime,
        standing(scenarios.latency.services, lifetime, cwd) as fleet,
    ):
        return measure(scenarios.latency, request, fleet, watch)


def _file(named: Path) -> LatencyFile:
    """Load a scenario file: the path, or, where there is none, the one that we ship under that name."""
    name = str(named)
    if named.exists() or (name not in SHIPPED and (named.suffix or len(named.parts) > 1)):
        return load(named)
    if name not in SHIPPED:
        raise UsageError(
            f"there is no file {name}, and we ship no scenarios of that name{near(name, SHIPPED)}"
        )
    with resources.as_file(resources.files("campus_food").joinpath("scenarios", f"{name}.toml")) as path:
        return load(path)


def _folder(scenarios: LatencyFile, judge: Path | None, began: datetime) -> Path:
    """Return where the report goes: samples of somebody else never overwrite what was measured here."""
    if scenarios.latency.results and judge is None:
        return Path(scenarios.latency.results)
    return default_folder(began)
