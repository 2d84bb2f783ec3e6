"""All that a run, or a judging of given samples, found out: what every report is made from."""

from dataclasses import dataclass

from atleastonce.latency.judging import ClaimVerdict, judge, overall
from atleastonce.latency.remarks import remarks
from atleastonce.latency.samples import Measured
from atleastonce.latency.scenario import Latency, LatencyFile
from atleastonce.latency.statistics import Summary, summary
from atleastonce.verdict import Outcome


@dataclass(frozen=True, slots=True)
class LatencyFindings:
    """Samples, their statistics, and the verdicts on the claims; `origin` says where the samples are from."""

    latency: Latency
    measured: Measured
    summaries: tuple[Summary, ...]
    verdicts: tuple[ClaimVerdict, ...]
    remarks: tuple[str, ...]
    origin: str

    @property
    def outcome(self) -> Outcome:
        """What all claims came to."""
        return overall(self.verdicts)


def found(file: LatencyFile, measured: Measured, origin: str) -> LatencyFindings:
    """Judge what was measured by the claims of a file."""
    summaries = tuple(summary(name, measured.of(name)) for name in measured.scenarios)
    verdicts = tuple(judge(file.claims, measured))
    told = tuple(remarks(file.latency.scenarios, summaries, verdicts))
    return LatencyFindings(file.latency, measured, summaries, verdicts, told, origin)
