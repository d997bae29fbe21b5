"""What a benchmark gives: one section of the table, with goals."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

_WIDTH = 130


@dataclass(frozen=True, slots=True)
class Row:
    """One subject, measured several times.

    Args:
        subject: what was measured.
        unit: of its values.
        values: one for each round.
    """

    subject: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value that the table and the ratios show."""
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached.

    Args:
        text: it in words.
        met: whether it was.
    """

    text: str
    met: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark's part of the table.

    Args:
        title: what was measured, in which unit it is better in which direction.
        rows: the results; ratios are made only between rows of the same unit.
        peers: subjects by which the others are divided.
        goals: what was to be reached.
        notes: what one must know to read it.
    """

    title: str
    rows: tuple[Row, ...]
    peers: tuple[str, ...] = ()
    goals: tuple[Goal, ...] = ()
    notes: tuple[str, ...] = ()


def print_table(sections: Sequence[Section]) -> None:
    """Print all sections as one table, with goals and notes below it."""
    table = Table("", "median", "lowest", "highest", "", "ratios", box=None, pad_edge=False)
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[1:4]:
        column.justify = "right"
    for section in sections:
        table.add_row(f"[bold]{section.title}[/]")
        for row in section.rows:
            lowest, highest = _figure(min(row.values)), _figure(max(row.values))
            table.add_row(f"  {row.subject}", _figure(row.median), lowest, highest, row.unit, _ratios(row, section))
    console = Console(width=_WIDTH, highlight=False)
    console.print(table)
    for section in sections:
        for goal in section.goals:
            console.print(f"{'met' if goal.met else 'MISSED':8}{goal.text}")
    for section in sections:
        for note in section.notes:
            console.print(f"{section.title}: {note}")


def _ratios(row: Row, section: Section) -> str:
    peers = {peer.subject: peer for peer in section.rows if peer.unit == row.unit and peer.subject in section.peers}
    return ", ".join(
        f"{row.median / peer.median:.2f} x {name}"
        for name, peer in peers.items()
        if name != row.subject and peer.median
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
