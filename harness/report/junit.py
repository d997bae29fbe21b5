"""``junit.xml``: the tests with their findings, for the pages of CI systems."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from harness.report.record import FindingRecord, Outcome, RunRecord, TestRecord
from harness.report.wording import finding_line, first_line, problems_of_the_run

# XML 1.0, "Characters": what a document cannot contain in any form.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_RUN = "the whole run"


def junit_xml(record: RunRecord) -> str:
    """One test case for each test, and one for the run as a whole: its findings and its endpoint coverage.

    A finding that fails is in the text of the failure, one that does not is in ``system-out``; each has a property
    ``finding`` with its code as well, so that they can be counted.

    Args:
        record: the run.
    """
    counted = record.tests_by_outcome
    of_the_run = _problems_of_the_run(record)
    suite = Element(
        "testsuite",
        name="Sentry verification",
        tests=str(len(record.tests) + 1),
        failures=str(counted[Outcome.FAILED] + bool(of_the_run)),
        errors=str(counted[Outcome.ERROR]),
        skipped=str(counted[Outcome.SKIPPED] + counted[Outcome.NOT_RUN]),
        time=f"{sum(test.seconds for test in record.tests):.3f}",
    )
    for test in record.tests:
        _test(suite, test)
    whole = SubElement(suite, "testcase", classname="run", name=_RUN, time="0.000")
    _properties(whole, record.findings)
    if of_the_run:
        _text(whole, "failure", "\n".join(of_the_run))
    _noted(whole, record.findings)
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _problems_of_the_run(record: RunRecord) -> list[str]:
    problems = [] if record.failure is None else [f"the fleet did not start: {record.failure}"]
    return problems + problems_of_the_run(record)


def _test(suite: Element, test: TestRecord) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=_xml(test.file.removesuffix(".py").replace("/", ".")),
        name=_xml(test.id.split("::", 1)[-1]),
        file=_xml(test.file),
        line=str(test.line),
        time=f"{test.seconds:.3f}",
    )
    _properties(case, test.findings)
    if test.outcome is Outcome.FAILED:
        _text(case, "failure", test.message)
    elif test.outcome is Outcome.ERROR:
        _text(case, "error", test.message)
    elif test.outcome is not Outcome.PASSED:
        _text(case, "skipped", test.message or str(test.outcome))
    _noted(case, test.findings)


def _properties(case: Element, findings: tuple[FindingRecord, ...]) -> None:
    if findings:
        listed = SubElement(case, "properties")
        for finding in findings:
            SubElement(listed, "property", name="finding", value=_xml(finding.code))


def _noted(case: Element, findings: tuple[FindingRecord, ...]) -> None:
    if noted := [finding_line(finding) for finding in findings if not finding.fails]:
        SubElement(case, "system-out").text = _xml("\n".join(noted))


def _text(case: Element, tag: str, text: str) -> None:
    SubElement(case, tag, message=_xml(first_line(text))).text = _xml(text)


def _xml(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
