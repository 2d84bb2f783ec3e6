"""JUnit XML: one test case per promise, for whatever shows test results in continuous integration.

Broken is a *failure*, with the counterexample as its text. Unknown is *skipped*, with the reason: like a
skipped test it gave no answer, and a dashboard that turned it red would accuse the service of nothing. It
passes no gate for that: the exit code is 3, and the case is counted as skipped, never as passed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from atleastonce.findings import Findings
from atleastonce.report.narrative import narrative
from atleastonce.report.rows import Row, grouped, numbered
from atleastonce.report.telling import of_counterexample

_ILLEGAL = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
"""What XML 1.0 cannot hold, not even escaped; a service may put it into a body that we quote."""


def report(found: Sequence[Findings], rules: Mapping[str, str], when: datetime, home: str) -> str:
    """Return ``junit.xml``; `rules` says why each fault is allowed, `home` is the report's folder."""
    told = {
        folder: narrative(of_counterexample(each, rules), f"{home}/{folder}")
        for folder, _, each in numbered(found)
    }
    suites = ET.Element("testsuites", name="atleastonce")
    for findings, verdicts in grouped(found):
        suites.append(_suite(findings, verdicts, told, when))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _suite(
    findings: Findings, verdicts: Sequence[Row], told: Mapping[str, str], when: datetime
) -> ET.Element:
    suite = ET.Element(
        "testsuite",
        name=f"atleastonce.{findings.broker}.{findings.service}",
        tests=str(len(verdicts)),
        failures=str(sum(row.verdict == "broken" for row in verdicts)),
        errors="0",
        skipped=str(sum(row.verdict == "unknown" for row in verdicts)),
        time=f"{findings.seconds:.3f}",
        timestamp=when.isoformat(timespec="seconds"),
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in findings.settings.items():
        ET.SubElement(properties, "property", name=_legal(name), value=_legal(str(value)))
    for row in verdicts:
        _case(suite, row, told.get(row.counterexample, ""))
    return suite


def _case(suite: ET.Element, row: Row, text: str) -> None:
    # The time is the suite's: a schedule is judged on all promises at once, so none has a time of its own.
    case = ET.SubElement(
        suite, "testcase", classname=f"atleastonce.{row.broker}.{row.service}", name=row.promise, time="0"
    )
    if row.verdict == "broken":
        failure = ET.SubElement(case, "failure", type="broken", message=_legal(row.reason))
        failure.text = _legal(text or row.reason)
    elif row.verdict == "unknown":
        ET.SubElement(case, "skipped", message=_legal(f"unknown: {row.reason}"))


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
