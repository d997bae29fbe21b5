"""The table of results at the end of the run, and the option that writes it into the documentation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sabotage.table import columns

# The scenarios' bodies are called here outside of their own test run; their failures must speak as they do there.
pytest.register_assert_rewrite("scenarios")

PROPERTY = "sabotage"

NoteResult = Callable[[str, str, str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--write-sabotage-table", action="store_true", help="write docs/sabotage.md anew")


@pytest.fixture
def note_result(record_property: Callable[[str, object], None]) -> NoteResult:
    """Notes a row of the table: the sabotage, what was found, and where."""
    return lambda *row: record_property(PROPERTY, list(row))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was found, whichever process found it."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    rows = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if rows:
        terminalreporter.section("Sabotage")
        for line in columns(sorted(rows)):
            terminalreporter.write_line(line)
