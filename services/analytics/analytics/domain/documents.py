"""Documents that game providers deliver."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, Field, ValidationError


class StatementLine(BaseModel):
    """What one game turned over on the statement's day, in cents."""

    game: str = Field(min_length=1, max_length=64)
    turnover_cents: int = Field(ge=0)


class ProviderStatement(BaseModel):
    """A provider's account of one day."""

    provider: str = Field(min_length=1, max_length=64)
    day: date
    lines: list[StatementLine] = Field(min_length=1)

    @property
    def turnover_cents(self) -> int:
        """The statement's total, in cents."""
        return sum(line.turnover_cents for line in self.lines)


def read_statement(receipt_id: str, document: bytes) -> ProviderStatement:
    """Parse a statement as it was delivered.

    Args:
        receipt_id: the number that the delivery was given.
        document: JSON.

    Raises:
        ValidationError: it is not a valid statement.
    """
    try:
        return ProviderStatement.model_validate_json(document)
    except ValidationError as problem:
        problem.add_note(f"in the provider statement of delivery {receipt_id}")
        raise
