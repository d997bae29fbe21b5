from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from openfeature import api

from observability.guard.flags import DebugFlags, parse_flags
from tests.services.debug_access import DebugAccess, write_anew

VARIANTS = {"on": True, "off": False}
ON = {"state": "ENABLED", "variants": VARIANTS, "defaultVariant": "on"}


@pytest.fixture
def access(tmp_path: Path) -> DebugAccess:
    return DebugAccess(tmp_path)


def test_whole_group_and_endpoint_count_from_the_next_look_on(access: DebugAccess) -> None:
    flags = DebugFlags(access.flags_file)
    crash = ("debug.crash", "debug.analytics.crash")
    assert flags.are_on(crash)
    access.switch(debug__crash=False)
    assert (flags.are_on(crash), flags.are_on(("debug.load",)), flags.are_on(())) == (False, True, True)
    access.switch(debug__analytics__crash=False)
    assert (flags.are_on(crash), flags.are_on(("debug.crash", "debug.analytics.timeout"))) == (False, True)
    access.switch(debug__crash=True, debug__analytics__crash=True)
    assert flags.are_on(crash)
    access.switch(debug=False, debug__crash=True)
    assert not flags.are_on(crash)
    write_anew(access.flags_file, '{"flags": {}}')
    assert not flags.are_on(())


def test_a_switch_thrown_back_within_a_tick_of_the_file_systems_clock_counts(
    access: DebugAccess, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = access.flags_file.stat()
    # A clock that stands still; that of the file system here may well be finer than what is written.
    monkeypatch.setattr(Path, "stat", lambda _path: now)
    flags = DebugFlags(access.flags_file)
    for on in (True, False, True):
        access.switch(debug=on)
        assert flags.are_on(()) is on


def test_a_file_that_cannot_be_used_switches_all_off_and_says_so_once(
    access: DebugAccess, caplog: pytest.LogCaptureFixture
) -> None:
    flags = DebugFlags(access.flags_file)
    broken: list[bytes] = [
        b'{"flags": {"theme": NaN}}',
        b"{",
        b"[]",
        b'{"flags": 1}',
        b"\xff",
        b"[" * 100_000,
        b" " * 1_100_000,
    ]
    for content in broken:
        caplog.clear()
        access.flags_file.write_bytes(content)
        assert not any(flags.are_on(("debug.crash",)) for _ in range(3)), content[:20]
        assert [record.levelno for record in caplog.records] == [logging.ERROR], content[:20]
        assert caplog.records[0].getMessage().startswith("DEBUG_FLAGS_FILE cannot be used")
        access.switch()
        assert flags.are_on(("debug.crash",))
    caplog.clear()
    access.flags_file.unlink()
    assert not any(flags.are_on(()) for _ in range(3))
    # The file may break between the look at `debug` and the look at a flag that is on unless it is said to be off.
    assert not api.get_client(f"debug {access.flags_file}").get_boolean_value("debug.crash", True)
    access.flags_file.mkdir()
    assert not flags.are_on(())
    assert len(caplog.records) == 2


@pytest.mark.parametrize("kind", ["pipe", "directory", "device"])
def test_what_is_no_regular_file_switches_all_off_at_once_and_is_named_once(
    access: DebugAccess, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    flags = DebugFlags(access.flags_file)
    assert flags.are_on(())
    access.flags_file.unlink()
    match kind:
        case "pipe":
            os.mkfifo(access.flags_file)
        case "directory":
            access.flags_file.mkdir()
        case "device":
            access.flags_file.symlink_to("/dev/zero")
    assert not any(flags.are_on(()) for _ in range(3))
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize(
    "flag",
    [
        True,
        {},
        {**ON, "state": "enabled"},
        {**ON, "defaultVariant": "maybe"},
        {**ON, "defaultVariant": None},
        {**ON, "variants": {"on": "true"}},
        {**ON, "variants": {"on": 1}},
        {**ON, "targeting": {"if": [True, "on", "off"]}},
    ],
)
def test_a_flag_that_cannot_be_understood_makes_the_file_invalid(flag: Any) -> None:
    with pytest.raises(ValueError, match=r"flag debug\.load must have"):
        parse_flags(json.dumps({"flags": {"debug": ON, "debug.load": flag}}))


def test_what_is_disabled_is_off_and_flags_of_others_do_not_matter() -> None:
    flags = {"debug": ON, "debug.load": {**ON, "state": "DISABLED"}, "theme": {"variants": "dark"}, "debugger": 1}
    assert parse_flags(json.dumps({"flags": flags})) == {"debug": True, "debug.load": False}
