"""GitHub annotations: what failed, shown at the scenario's line in a pull request."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from harness.report.record import DifferenceRecord, Outcome, RunRecord, TestRecord
from harness.report.wording import finding_line, first_line, headline, problems_of_the_run
from harness.telemetry.shape import one_line

# GitHub shows this many errors of a step and drops the others without a word.
_SHOWN = 10
_LINES = 12
_OF_MESSAGE = 5
_WIDTH = 500


def github_annotations(record: RunRecord, root: Path, environment: Mapping[str, str]) -> list[str]:
    """What a job of GitHub Actions prints to annotate what failed; nothing elsewhere.

    Args:
        record: the run.
        root: pytest's root directory, which the record's files are relative to.
        environment: the job's variables.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return []
    directory = Path(os.path.relpath(root, environment.get("GITHUB_WORKSPACE", root)))
    return annotation_lines(record, directory.as_posix())


def annotation_lines(record: RunRecord, directory: str = "") -> list[str]:
    """Workflow commands that make GitHub annotate what failed, the most important first.

    The first is about the run as a whole, if something is wrong with it. Then come tests that failed, those with
    findings that fail and those that lost something before others, then those that did not run. Where there are more
    than GitHub shows, the last one says how many.

    Args:
        record: the run.
        directory: where the record's files are, relative to the root of the repository.
    """
    titles = {capture.id: capture.title for capture in record.captures}
    problems = _problems(record)
    errors = [_error(problems)] if problems else []
    # Where the fleet did not start, every scenario fails for that one reason.
    bad = [test for test in record.tests if test.outcome.is_bad and not (record.failure and test.captures == ())]
    errors += [
        _error(_why(test), title=titles.get(next(iter(test.captures), ""), test.id), place=_place(test, directory))
        for test in sorted(bad, key=_importance)
    ]
    if len(errors) <= _SHOWN:
        return errors
    more = len(errors) - _SHOWN + 1
    return [*errors[: _SHOWN - 1], _error([f"{more} more failed: see the summary and the report of the run."])]


def _problems(record: RunRecord) -> list[str]:
    problems = [] if record.failure is None else [headline(record), *record.failure.splitlines()]
    return problems + problems_of_the_run(record)


def _importance(test: TestRecord) -> tuple[int, bool, bool]:
    order = (Outcome.FAILED, Outcome.ERROR, Outcome.NOT_RUN)
    failing = any(finding.fails for finding in test.findings)
    lost = any(difference.is_regression for difference in test.differences)
    return order.index(test.outcome), not failing, not lost


def _why(test: TestRecord) -> Iterator[str]:
    noted = [finding_line(finding) for finding in test.findings if finding.fails]
    noted += [_difference(difference) for difference in test.differences if difference.is_regression]
    if noted:
        yield first_line(test.message)
        yield from noted
        return
    lines = [line for line in test.message.splitlines() if line.strip()]
    # pytest marks what is wrong; a message without marks is all about that.
    marked = [line[1:].strip() for line in lines if line.startswith("E  ")]
    yield from (marked or lines or [f"{test.id}: {test.outcome}"])[:_OF_MESSAGE]


def _difference(difference: DifferenceRecord) -> str:
    values = [] if difference.kind == "lost" else [f"it is {_value(difference.actual)}"]
    return f"{difference.kind} {difference.path}: " + ", ".join([f"it was {_value(difference.expected)}", *values])


def _value(value: object) -> str:
    return one_line(json.dumps(value, ensure_ascii=False))


def _place(test: TestRecord, directory: str) -> dict[str, str]:
    file = posixpath.normpath(posixpath.join(directory, test.file))
    if file.startswith(("../", "/")):
        return {}
    # A test that did not run has no line.
    return {"file": file, "line": str(test.line)} if test.line else {"file": file}


def _error(
    lines: Iterable[str], *, title: str = "Sentry verification", place: Mapping[str, str] | None = None
) -> str:
    said = [line[:_WIDTH] for line in lines]
    if len(said) > _LINES:
        said = [*said[:_LINES], f"and {len(said) - _LINES} more"]
    properties = ",".join(f"{name}={_property(value)}" for name, value in {**(place or {}), "title": title}.items())
    return f"::error {properties}::{_data(chr(10).join(said))}"


def _data(text: str) -> str:
    """Escaped as actions/toolkit does it (``packages/core/src/command.ts``, ``escapeData``)."""
    printable = text.encode(errors="backslashreplace").decode()
    return printable.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As above, ``escapeProperty``."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
