"""Settings of the game engine, from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from game_engine.slot import SlotMachine, UnreachableRtp
from observability.settings import Address, BadSetting, read_address, read_integer, read_url

DEFAULT_RTP_PERCENT = "96"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment decides.

    Attributes:
        address: where to listen (HOST, PORT).
        payment_url: base URL of the wallet (PAYMENT_URL).
        analytics_url: base URL of the event store (ANALYTICS_URL).
        machine: the slot machine with the return to player of GAME_RTP_PERCENT.
        seed: GAME_SEED, for reproducible draws; None draws from the operating system.
    """

    address: Address
    payment_url: str
    analytics_url: str
    machine: SlotMachine
    seed: int | None


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        BadSetting: a variable has a value that cannot be used.
    """
    return Settings(
        address=read_address(default_port=8001),
        payment_url=read_url("PAYMENT_URL", "http://127.0.0.1:8003"),
        analytics_url=read_url("ANALYTICS_URL", "http://127.0.0.1:8002"),
        machine=_read_machine(),
        seed=read_integer("GAME_SEED", default=0, lowest=0, highest=2**63) if os.environ.get("GAME_SEED") else None,
    )


def _read_machine() -> SlotMachine:
    text = os.environ.get("GAME_RTP_PERCENT") or DEFAULT_RTP_PERCENT
    try:
        return SlotMachine.with_rtp_percent(Decimal(text))
    except InvalidOperation:
        raise BadSetting(f"GAME_RTP_PERCENT must be a percentage such as 96 or 94.5, not {text!r}") from None
    except UnreachableRtp as problem:
        raise BadSetting(f"GAME_RTP_PERCENT: {problem}") from problem
