"""Large runs made of a real one: its captures over and over, each time with ids of their own."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.collector.arrival import Arrival, Opened
from harness.report.captured import CaptureRecord, EnvelopeRecord
from harness.report.record import TestRecord
from harness.report.recording import body_file, envelope_file
from harness.report.report import Report
from harness.verify.baseline.files import baseline_of
from harness.wire.envelope import Envelope

# Ids of traces, events, attachments, releases. Span ids need to be unique in their trace only.
_ID = re.compile(rb"[0-9a-f]{32}")


def multiplied(report: Report, scenarios: int) -> Report:
    """A report with so many scenarios, taken from the given one in turn.

    Args:
        report: a run whose tests have captures. What belongs to no scenario's trace stays as it is.
        scenarios: how many tests the result has.
    """
    tests = [test for test in report.record.tests if test.captures]
    captures = {capture.id: capture for capture in report.record.captures}
    keys = {arrival.public_key.encode() for arrival in report.arrivals}
    orphans = [held.number for held in report.record.envelopes if held.orphan]
    result = _Result(report, keys)
    result.add_envelopes(orphans, copy=0)
    for number in range(scenarios):
        test = tests[number % len(tests)]
        result.add(test, [captures[held] for held in test.captures], number // len(tests))
    record = report.record
    (execution,) = record.executions
    traces = tuple(capture.id for capture in result.captures)
    return Report(
        replace(
            record,
            executions=(replace(execution, traces=traces),),
            tests=tuple(result.tests),
            captures=tuple(result.captures),
            envelopes=tuple(result.envelopes),
            # Refused requests would be judged once more in every size.
            refusals=(),
        ),
        tuple(result.arrivals),
    )


def copy_baselines(report: Report, root: Path, destination: Path) -> None:
    """Give every test of a multiplied report the baseline of the test that it was taken from.

    Args:
        report: the multiplied report.
        root: the checkout with the baselines.
        destination: what takes the checkout's place.
    """
    for test in report.record.tests:
        original = baseline_of(_original(test.id), root)
        copy = baseline_of(test.id, destination)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, copy)
        versions = original.parent.parent / "versions.json"
        if versions.exists():
            shutil.copyfile(versions, copy.parent.parent / versions.name)


class _Result:
    """What has been put together so far."""

    def __init__(self, report: Report, keys: set[bytes]) -> None:
        self.tests: list[TestRecord] = []
        self.captures: list[CaptureRecord] = []
        self.envelopes: list[EnvelopeRecord] = []
        self.arrivals: list[Arrival] = []
        self._report = report
        self._keys = keys
        self._numbers: dict[tuple[int, int], int] = {}

    def add(self, test: TestRecord, captures: Sequence[CaptureRecord], copy: int) -> None:
        name = f"{test.id}@{copy}"
        for capture in captures:
            context = capture.sampling_context
            self.captures.append(
                replace(
                    capture,
                    id=self._id(capture.id, copy),
                    test=name,
                    envelopes=self.add_envelopes(capture.envelopes, copy),
                    orphans=None,
                    sampling_context=context and {key: self._id(value, copy) for key, value in context.items()},
                )
            )
        ids = tuple(self._id(capture.id, copy) for capture in captures)
        # What was found before is found again.
        self.tests.append(replace(test, id=name, captures=ids, findings=(), differences=()))

    def add_envelopes(self, numbers: Sequence[int], copy: int) -> tuple[int, ...]:
        return tuple(self._add_envelope(number, copy) for number in numbers)

    def _add_envelope(self, original: int, copy: int) -> int:
        # One envelope of a batching SDK speaks of several scenarios, and stays one.
        if (known := self._numbers.get((original, copy))) is not None:
            return known
        number = self._numbers[original, copy] = len(self.arrivals)
        arrival = self._report.arrivals[original]
        envelope = (
            None if arrival.envelope is None else Envelope.parse(self._bytes(arrival.envelope.serialize(), copy))
        )
        content = Opened(self._bytes(arrival.body, copy), envelope)
        arrival = replace(arrival, number=number, content=content)
        self.arrivals.append(arrival)
        held = self._report.record.envelopes[original]
        self.envelopes.append(replace(held, number=number, file=body_file(arrival), envelope=envelope_file(arrival)))
        return number

    def _bytes(self, content: bytes, copy: int) -> bytes:
        if not copy:
            return content
        return _ID.sub(lambda match: self._new(match[0], copy), content)

    def _id(self, original: str, copy: int) -> str:
        return self._bytes(original.encode(), copy).decode()

    def _new(self, original: bytes, copy: int) -> bytes:
        if original in self._keys:
            return original
        return hashlib.md5(b"%d %s" % (copy, original), usedforsecurity=False).hexdigest().encode()


def _original(name: str) -> str:
    return name.rpartition("@")[0]
