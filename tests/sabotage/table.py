"""The result as a table: for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.sabotage.sabotage import Sabotage, Witness

HEADINGS = ("sabotage", "finding", "scenario that saw it")

_INTRODUCTION = """\
# Sabotage: does the harness notice?

A harness that is always green proves nothing. So `tests/sabotage` breaks the instrumentation of the reference fleet
in {count} ways in which real teams break theirs, {python} in Python and {node} in Node, one at a time. Each is a
small patch to a running service, by its environment or by a module loaded before its own code. For each, the run must
fail by the code below and have no other finding; the untouched services must have none.

    pytest tests/sabotage                           # all of them, with the table of results at the end
    pytest tests/sabotage -k "clock and Node"       # one
    pytest tests/sabotage --write-sabotage-table    # after a change in the catalogue: write this page anew

*Who sees it* is a check over the capture of a scenario; a check over everything that was captured during the run; or
the scenario's own expectations, where only the team can know what must be there, such as a tag. A code that ends in
`*` stands for several, one for each secret. What comes along of necessity is listed at the end.

| sabotage | what the team did | service | finding | scenario | who sees it |
|---|---|---|---|---|---|
"""

_CONSEQUENCES = """
## What comes along

Some breakage has two faces, and each is a finding of its own:

"""


def document(sabotages: Sequence[Sabotage]) -> str:
    """The page `docs/sabotage.md`."""
    node = sum(sabotage.runtimes == "Node" for sabotage in sabotages)
    introduction = _INTRODUCTION.format(count=len(sabotages), python=len(sabotages) - node, node=node)
    rows = "".join(f"| {' | '.join(_row(sabotage))} |\n" for sabotage in sabotages)
    consequences = "".join(
        f"* **{sabotage.name}**: also `{code}`, because {reason}.\n"
        for sabotage in sabotages
        for code, reason in sabotage.consequences.items()
    )
    return introduction + rows + _CONSEQUENCES + consequences


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as aligned text, the headings first."""
    table = [HEADINGS, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def finding_in_words(sabotage: Sabotage) -> str:
    """The expected finding, as it stands in a table."""
    return f"failed: {sabotage.finding}" if sabotage.witness is Witness.EXPECTATION else sabotage.finding


def _row(sabotage: Sabotage) -> tuple[str, ...]:
    scenarios = ", ".join(f"`{name}`" for name in sabotage.scenarios)
    finding = f"`{finding_in_words(sabotage)}`"
    return sabotage.name, sabotage.deed, sabotage.service_names, finding, scenarios, sabotage.witness.value
