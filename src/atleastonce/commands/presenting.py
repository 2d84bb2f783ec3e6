"""How the commands show what was found: console, live progress, report folder, last line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from atleastonce.brokers import Broker
from atleastonce.errors import Cancelled, UsageError
from atleastonce.faults import RULES
from atleastonce.findings import Findings
from atleastonce.report import folder, terminal
from atleastonce.report.rows import numbered
from atleastonce.report.telling import of_counterexample
from atleastonce.report.wording import broker_name


@dataclass(frozen=True)
class Presenter:
    """Where a command prints, and the folder it writes into."""

    console: Console
    folder: Path
    began: datetime
    new: bool = False
    """Whether the folder was made for this run."""

    @property
    def histories(self) -> Path:
        """The folder that histories go into while the run lasts."""
        return self.folder / "histories"

    def say(self, line: str) -> None:
        """Print a line about what goes on."""
        self.console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Say what can be done with the histories of a run that is interrupted; leave no empty folder of ours."""
        try:
            yield
        except (KeyboardInterrupt, Cancelled):
            if self.histories.is_dir():
                self.say(f"what was carried out is kept: atleastonce judge {self.folder}")
            raise
        finally:
            if self.new:
                with suppress(OSError):  # it is not empty, mostly
                    self.folder.rmdir()

    def present(self, found: Sequence[Findings], brokers: Sequence[Broker], end: str) -> None:
        """Write the report, then show verdicts, counterexamples and the last line, which closes with `end`."""
        folder.write(self.folder, found, RULES, self.began)
        stories = [
            (of_counterexample(example, RULES), str(self.folder / place))
            for place, _, example in numbered(found)
        ]
        terminal.show(self.console, found, stories)
        ran_on = ", ".join(
            f"{broker_name(broker.kind)} {broker.version} ({broker.provider})" for broker in brokers
        )
        self.console.print()
        self.console.print(
            terminal.summary(found, ran_on, end), markup=False, highlight=False, soft_wrap=True
        )
        self.say(f"report: {self.folder / 'report.html'}")


def presenter(report: Path | None) -> Presenter:
    """Return a presenter for a folder that can be written; raise UsageError where it cannot.

    A report that is there already is replaced: its histories, judged together with others, would say what neither does.
    """
    began = datetime.now().astimezone()
    chosen = report or folder.default_folder(began)
    new = not chosen.exists()
    shown = Presenter(Console(highlight=False), made(chosen), began, new)
    for old in shown.histories.rglob("*.jsonl"):
        old.unlink()
    return shown


def made(chosen: Path) -> Path:
    """Make the folder of a report, and return it; raise UsageError where it cannot be made."""
    try:
        chosen.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise UsageError(
            f"cannot write the report into {chosen}: {exc.strerror}; name another folder with --report"
        ) from exc
    return chosen
