from __future__ import annotations

from harness.collector.inbox import Inbox
from harness.run.trace_book import TraceBook
from tests.samples import OTHER_TRACE, add_to, envelope, error


def test_orphans_are_what_speaks_of_no_scenarios_trace() -> None:
    inbox = Inbox()
    book = TraceBook(inbox)
    ours = book.new().trace_id
    add_to(inbox, envelope(error(trace_id=ours), trace_id=ours))
    add_to(inbox, envelope(error(trace_id=OTHER_TRACE), trace_id=OTHER_TRACE))
    add_to(inbox, envelope(trace_id=None))
    # A header of our trace makes it evidence of our scenario, whatever the event itself says.
    add_to(inbox, envelope(error(trace_id=OTHER_TRACE), trace_id=ours))
    assert [arrival.number for arrival in book.orphans(0)] == [1, 2]
    assert [arrival.number for arrival in book.orphans(2)] == [2]
    add_to(inbox, envelope(trace_id=None))
    assert [arrival.number for arrival in book.orphans(2)] == [2, 4]


def test_a_service_is_heard_of_once_anything_arrived_for_its_project() -> None:
    inbox = Inbox()
    book = TraceBook(inbox)
    assert not book.heard_of("7")
    add_to(inbox, envelope(trace_id=None), project="7")
    assert book.heard_of("7")
    assert not book.heard_of("8")


def test_traces_are_fresh_and_sampled() -> None:
    book = TraceBook(Inbox())
    first, second = book.new(), book.new()
    assert book.started == {first.trace_id, second.trace_id}
    assert first.sampled is True


def test_a_trace_that_a_page_started_is_nobodys_only_until_it_is_adopted() -> None:
    inbox = Inbox()
    book = TraceBook(inbox)
    add_to(inbox, envelope(error(trace_id=OTHER_TRACE), trace_id=OTHER_TRACE))
    add_to(inbox, envelope(trace_id=None))
    assert [arrival.number for arrival in book.orphans(0)] == [0, 1]
    book.adopt(OTHER_TRACE)
    add_to(inbox, envelope(error(trace_id=OTHER_TRACE), trace_id=OTHER_TRACE))
    assert [arrival.number for arrival in book.orphans(0)] == [1]
    assert OTHER_TRACE in book.started
