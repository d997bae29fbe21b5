from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError
from sqlalchemy import URL, Connection, Engine, event, select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from analytics.debug import demonstration
from analytics.domain.database import DatabaseUnavailableError, open_database
from analytics.domain.deadlines import CancellableQuery, fetch_before
from analytics.domain.documents import read_statement
from analytics.domain.exports import export_in_memory
from analytics.domain.ingest import PlayerEvent, store_event
from analytics.domain.reports import (
    TypeStats,
    close_day,
    count_slowly,
    daily_stats,
    project_turnover,
    turnover_by_hour,
    turnover_by_player,
)
from analytics.domain.tables import Event, Player
from analytics.domain.warehouse import Warehouse
from analytics.settings import database_url, read_database_url
from harness.collector.server import Collector
from harness.wire.envelope import Item
from observability.settings import BadSetting
from tests.services.conversation import SECONDS, Conversation, ServiceProcess
from tests.services.debug_access import DebugAccess

DAY = date(2026, 3, 14)
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
WAREHOUSE = Warehouse("analytics", "warehouse-password-4e81")
SECRETS = {
    "Authorization": "Bearer 5f0c7a91",
    "Cookie": "session=9b1e33aa",
    "X-Api-Key": "k-77ab41de",
    "X-Card-Number": "4242 4242 4242 4242",
    "X-Customer-Email": "ada@players.example",
}
SECONDS_OF_ROUNDS = 20_000_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(URL.create("sqlite", database=str(tmp_path / "analytics.sqlite3")))
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.fixture
def statements(engine: Engine) -> list[str]:
    """What is sent to the database from now on."""
    sent: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    return sent


def an_event(number: int, **different: Any) -> PlayerEvent:
    fields: dict[str, Any] = {
        "event_type": "spin",
        "player_id": "ada",
        "amount_cents": 100,
        "payload": {},
        "occurred_at": NOON,
        **different,
    }
    return PlayerEvent(id=f"evt_{number}", **fields)


def store_all(session: Session, *events: PlayerEvent) -> None:
    for one in events:
        store_event(session, one)


class TestStoring:
    def test_keeps_every_field(self, session: Session) -> None:
        store_all(session, an_event(1, payload={"game": "starburst", "lines": [1, 2]}))
        stored = session.scalars(select(Event)).one()
        assert (stored.id, stored.event_type, stored.player_id, stored.amount_cents, stored.payload) == (
            "evt_1",
            "spin",
            "ada",
            100,
            {"game": "starburst", "lines": [1, 2]},
        )
        assert stored.occurred_at == NOON

    def test_a_player_is_made_once_and_keeps_the_segment(self, session: Session) -> None:
        store_event(session, an_event(1), segment="vip")
        store_event(session, an_event(2), segment="regular")
        assert [(player.id, player.segment) for player in session.scalars(select(Player))] == [("ada", "vip")]

    def test_another_time_zone_is_the_same_moment(self, session: Session) -> None:
        store_all(session, an_event(1, occurred_at=datetime(2026, 3, 14, 14, tzinfo=timezone(timedelta(hours=2)))))
        stored = session.scalars(select(Event.occurred_at)).one()
        assert (stored, stored.utcoffset()) == (NOON, timedelta(0))

    def test_a_moment_without_time_zone_is_refused(self, session: Session) -> None:
        with pytest.raises(StatementError, match="2026-03-14T12:00:00 has no time zone"):
            store_all(session, an_event(1, occurred_at=NOON.replace(tzinfo=None)))

    def test_twice_is_refused_by_the_database_which_tells_the_event_but_no_data(self, session: Session) -> None:
        once = an_event(1, payload={"iban": "DE00 1234"})
        store_all(session, once)
        with pytest.raises(IntegrityError, match=r"UNIQUE constraint failed: events\.id") as caught:
            store_all(session, once)
        assert caught.value.__notes__ == ["while storing event evt_1"]
        assert "iban" not in str(caught.value)

    def test_an_event_of_nobody_is_refused_by_sqlite_too(self, session: Session) -> None:
        nobody = Event(
            id="evt_1", event_type="spin", player_id="nobody", amount_cents=1, payload={}, occurred_at=NOON
        )
        session.add(nobody)
        with pytest.raises(IntegrityError, match="FOREIGN KEY constraint failed"):
            session.flush()


class TestDailyStats:
    def test_add_up_exactly_one_utc_day(self, session: Session) -> None:
        last_moment = datetime(2026, 3, 14, 23, 59, 59, 999_999, tzinfo=UTC)
        store_all(
            session,
            an_event(1, occurred_at=datetime(2026, 3, 14, tzinfo=UTC) - timedelta(microseconds=1)),
            an_event(2, occurred_at=datetime(2026, 3, 14, tzinfo=UTC), amount_cents=10),
            an_event(3, occurred_at=last_moment, amount_cents=20),
            an_event(4, occurred_at=last_moment, amount_cents=5, player_id="grace", event_type="win"),
            an_event(5, occurred_at=last_moment + timedelta(microseconds=1)),
        )
        stats = daily_stats(session, DAY)
        assert (stats.day, stats.events, stats.players, stats.turnover_cents) == (DAY, 3, 2, 35)
        assert stats.by_type == {
            "spin": TypeStats(events=2, turnover_cents=30),
            "win": TypeStats(events=1, turnover_cents=5),
        }

    def test_of_a_day_without_events_are_zero(self, session: Session) -> None:
        stats = daily_stats(session, DAY)
        assert (stats.events, stats.players, stats.turnover_cents, stats.by_type) == (0, 0, 0, {})


class TestDayReport:
    def test_hours_are_those_of_utc(self, session: Session) -> None:
        store_all(session, *(an_event(hour, occurred_at=NOON.replace(hour=hour)) for hour in range(24)))
        store_all(session, an_event(24, occurred_at=NOON, amount_cents=50))
        by_hour = turnover_by_hour(session, DAY)
        assert by_hour == {hour: 150 if hour == NOON.hour else 100 for hour in range(24)}
        closed = close_day("rpt_1", by_hour, WAREHOUSE)
        assert (closed.turnover_cents, closed.seal) == (2450, WAREHOUSE.seal("rpt_1", 2450))

    def test_a_gap_in_the_demonstration_day_cannot_be_closed(self, engine: Engine, session: Session) -> None:
        with engine.begin() as connection:
            demonstration.add_demonstration_data(connection)
        by_hour = turnover_by_hour(session, demonstration.DAY)
        with pytest.raises(ValueError, match=r"^report rpt_1 cannot be closed: it covers 20 of 24 hours$"):
            close_day("rpt_1", by_hour, WAREHOUSE)

    def test_a_seal_is_of_one_report_and_one_password(self) -> None:
        seals = {
            WAREHOUSE.seal("rpt_1", 2450),
            WAREHOUSE.seal("rpt_2", 2450),
            WAREHOUSE.seal("rpt_1", 2451),
            Warehouse("analytics", "another").seal("rpt_1", 2450),
        }
        assert len(seals) == 4
        assert WAREHOUSE.password not in repr(WAREHOUSE)


class TestQueries:
    @pytest.mark.parametrize("players", [1, 7, demonstration.PLAYERS])
    def test_turnover_by_player_asks_once_more_for_each_player(
        self, engine: Engine, session: Session, statements: list[str], players: int
    ) -> None:
        with engine.begin() as connection:
            demonstration.add_demonstration_data(connection)
        statements.clear()
        turnover = turnover_by_player(session, demonstration.SEGMENT, players)
        assert turnover == {demonstration.player_id(number): 600 for number in range(1, players + 1)}
        assert len(statements) == 1 + players
        assert len(set(statements[1:])) == 1

    def test_a_slow_count_takes_the_database_its_time(self, session: Session) -> None:
        store_all(session, an_event(1), an_event(2))
        count = count_slowly(session, 0.05)
        assert count.result == 2
        assert count.duration_ms >= 50
        assert count.statement.startswith("SELECT count(events.id)")

    def test_demonstration_data_is_added_once(self, engine: Engine, session: Session) -> None:
        for _ in range(2):
            with engine.begin() as connection:
                demonstration.add_demonstration_data(connection)
        stats = daily_stats(session, demonstration.DAY)
        assert (stats.events, stats.players) == (
            demonstration.PLAYERS * demonstration.EVENTS_A_PLAYER,
            demonstration.PLAYERS,
        )


class TestDeadline:
    def test_in_time_gives_the_result(self, engine: Engine) -> None:
        assert asyncio.run(fetch_before(60_000, Projection(engine, rounds=4))) == (1 + 2 + 3 + 4) * 31

    def test_passed_stops_the_database_and_frees_the_connection(self, engine: Engine) -> None:
        query = Projection(engine, rounds=SECONDS_OF_ROUNDS)
        with pytest.raises(TimeoutError, match=r"^projection prj_1 was not ready after 20 ms$"):
            asyncio.run(fetch_before(20, query))
        assert query.failed_with == ["interrupted"]
        assert query.connections_in_use() == 0

    @pytest.mark.parametrize("times", [1, 2])
    def test_a_cancelled_request_stops_the_database_too(self, engine: Engine, times: int) -> None:
        query = Projection(engine, rounds=SECONDS_OF_ROUNDS)

        async def cancel_while_it_runs() -> None:
            loop = asyncio.get_running_loop()
            begun = asyncio.Event()
            event.listen(engine, "before_cursor_execute", lambda *_: loop.call_soon_threadsafe(begun.set))
            waiting = asyncio.create_task(query.fetch())
            await begun.wait()
            for _ in range(times):
                waiting.cancel()
                turn = loop.create_future()
                loop.call_soon(turn.set_result, None)
                await turn
            await waiting

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(cancel_while_it_runs())
        assert query.failed_with == ["interrupted"]
        assert query.connections_in_use() == 0

    def test_an_error_of_the_work_comes_through(self, engine: Engine) -> None:
        query = CancellableQuery("a broken query", engine, lambda connection: connection.execute(text("SELEKT")))
        with pytest.raises(OperationalError, match="syntax error"):
            asyncio.run(fetch_before(60_000, query))


class Projection(CancellableQuery[int]):
    """A projection of turnover that notes how its statement failed."""

    def __init__(self, engine: Engine, rounds: int) -> None:
        super().__init__("projection prj_1", engine, self.work)
        self.rounds = rounds
        self.failed_with: list[str] = []
        self.pool = engine.pool

    def work(self, connection: Connection) -> int:
        try:
            return project_turnover(connection, self.rounds)
        except OperationalError as problem:
            self.failed_with.append(str(problem.orig))
            raise

    def connections_in_use(self) -> int:
        assert isinstance(self.pool, QueuePool)
        return self.pool.checkedout()


def test_an_export_in_memory_is_seen_in_resident_memory_and_let_go_again() -> None:
    spike = export_in_memory(64)
    assert 60 <= spike.grown_mb <= 80
    assert spike.after_mb - spike.before_mb < 32


class TestStatements:
    def test_a_valid_one_adds_up(self) -> None:
        lines = [{"game": "starburst", "turnover_cents": 100}, {"game": "book-of-ra", "turnover_cents": 20}]
        document = {"provider": "northwind-games", "day": "2026-03-14", "lines": lines}
        statement = read_statement("rcp_1", json.dumps(document).encode())
        assert (statement.provider, statement.day, statement.turnover_cents) == ("northwind-games", DAY, 120)

    @pytest.mark.parametrize("document", [b"", b"{", b"[]", b'{"provider": "x", "day": "2026-03-14", "lines": []}'])
    def test_an_invalid_one_tells_which_delivery_it_was(self, document: bytes) -> None:
        with pytest.raises(ValidationError) as caught:
            read_statement("rcp_1", document)
        assert caught.value.__notes__ == ["in the provider statement of delivery rcp_1"]


class TestDatabaseSetting:
    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
    def test_postgresql_is_spoken_to_by_psycopg(self, scheme: str) -> None:
        url = read_database_url(f"{scheme}://ada:secret@db.example/stats")
        assert url.render_as_string(hide_password=False) == "postgresql+psycopg://ada:secret@db.example/stats"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("mysql://ada:secret@db.example/stats", "not mysql://"),
            ("ada:secret@db.example", "it is not a URL"),
            ("sqlite://", "in memory is not supported"),
            ("sqlite:///:memory:", "in memory is not supported"),
        ],
    )
    def test_others_are_refused_without_repeating_a_password(self, text: str, reason: str) -> None:
        with pytest.raises(BadSetting, match=reason) as caught:
            read_database_url(text)
        assert "secret" not in str(caught.value)

    def test_without_any_it_is_a_temporary_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.delenv("ANALYTICS_DATA", raising=False)
        with database_url() as url:
            file = Path(url.database or "")
            open_database(url).dispose()
            assert file.exists()
        assert not file.parent.exists()

    def test_the_data_directory_is_made_and_kept(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("DATABASE_URL", raising=False)
        monkeypatch.setenv("ANALYTICS_DATA", str(tmp_path / "new" / "data"))
        with database_url() as url:
            open_database(url).dispose()
        assert list((tmp_path / "new" / "data").glob("analytics.sqlite3"))

    def test_the_password_may_be_in_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("s/cr:t@\n")
        monkeypatch.setenv("DATABASE_URL", "postgresql://ada@db.example/stats")
        monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
        with database_url() as url:
            assert (url.username, url.password) == ("ada", "s/cr:t@")

    @pytest.mark.parametrize("content", ["", " \n", None])
    def test_a_file_without_a_password_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
    ) -> None:
        if content is not None:
            (tmp_path / "password").write_text(content)
        monkeypatch.setenv("DATABASE_URL", "postgresql://ada@db.example/stats")
        monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(tmp_path / "password"))
        with pytest.raises(BadSetting, match=r"DATABASE_PASSWORD_FILE .*password"), database_url():
            pass

    def test_a_database_that_does_not_answer_is_named_without_its_password(self) -> None:
        with pytest.raises(DatabaseUnavailableError, match=r"//ada:\*\*\*@127\.0\.0\.1:9/stats: .*refused"):
            open_database(read_database_url("postgresql://ada:secret@127.0.0.1:9/stats"))

    def test_a_bad_one_ends_the_service_with_one_line(self) -> None:
        ended = subprocess.run(
            [sys.executable, "-m", "analytics"],
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PORT": "0", "DATABASE_URL": "mysql://db/stats"},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert (ended.returncode, ended.stdout) == (2, "")
        assert re.fullmatch(r"analytics: DATABASE_URL must be .*, not mysql://\n", ended.stderr)


def answer(conversation: Conversation) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON body of a response."""
    with conversation:
        first, headers, body = conversation.read_message()
    return int(first.split()[1]), headers, body


def post_event(service: ServiceProcess, **fields: Any) -> tuple[int, dict[str, str], Any]:
    body = json.dumps(fields).encode()
    return answer(service.request("POST", "/events", {"Content-Type": "application/json"}, body))


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> DebugAccess:
    return DebugAccess(tmp_path_factory.mktemp("debug-access"))


@pytest.fixture(scope="module")
def service(collector: Collector, access: DebugAccess) -> Iterator[ServiceProcess]:
    environment = {
        **access.environment,
        "SENTRY_DSN": str(collector.register("analytics")),
        "WAREHOUSE_PASSWORD": WAREHOUSE.password,
    }
    with ServiceProcess("analytics", environment) as service:
        yield service


class TestService:
    def test_what_is_posted_is_in_the_daily_stats(self, service: ServiceProcess) -> None:
        status, _, body = post_event(
            service, event_type="spin", player_id="ada", amount_cents=250, occurred_at=NOON.isoformat()
        )
        assert status == 201
        assert re.fullmatch(r"evt_[0-9a-f]{32}", body["id"])
        assert post_event(service, event_type="spin", player_id="ada", amount_cents=1, payload={"a": 1})[0] == 201
        assert answer(service.request("GET", f"/daily-stats?day={DAY}"))[2] == {
            "day": "2026-03-14",
            "events": 1,
            "players": 1,
            "turnover_cents": 250,
            "by_type": {"spin": {"events": 1, "turnover_cents": 250}},
        }

    @pytest.mark.parametrize(
        ("different", "complaint"),
        [
            ({"player_id": ""}, "body.player_id: "),
            ({"amount_cents": -1}, "body.amount_cents: "),
            ({"event_type": "Spin 1"}, "body.event_type: "),
            ({"occurred_at": "2026-03-14T12:00:00"}, "body.occurred_at: "),
            ({"payload": []}, "body.payload: "),
        ],
    )
    def test_a_bad_event_is_refused_with_the_field(
        self, service: ServiceProcess, different: dict[str, Any], complaint: str
    ) -> None:
        fields = {"event_type": "spin", "player_id": "ada", "amount_cents": 250, **different}
        status, _, body = post_event(service, **fields)
        assert status == 422
        assert body["error"].startswith(complaint)
        assert body["request_id"].startswith("req_")

    def test_every_debug_endpoint_answers_as_its_manifest_says(
        self, service: ServiceProcess, access: DebugAccess
    ) -> None:
        endpoints = answer(service.request("GET", "/debug", access.headers()))[2]["endpoints"]
        answers = {
            endpoint["path"]: answer(
                service.request(endpoint["method"], endpoint["path"], {"X-Request-Id": "req-42", **access.headers()})
            )
            for endpoint in endpoints
        }
        assert {path: status for path, (status, _, _) in answers.items()} == {
            "/debug/crash": 500,
            "/debug/database-error": 500,
            "/debug/memory-spike": 200,
            "/debug/n-plus-one": 200,
            "/debug/slow-query": 200,
            "/debug/timeout": 504,
            "/debug/validation-error": 500,
        }
        assert all(answers[endpoint["path"]][0] == endpoint["status"] for endpoint in endpoints)
        for status, _, body in answers.values():
            if status == 500:
                assert body == {"error": "internal error", "request_id": "req-42"}

    @pytest.mark.parametrize("path", ["/debug/crash", "/debug/timeout"])
    def test_an_error_names_its_request_and_keeps_what_is_confidential(
        self, service: ServiceProcess, access: DebugAccess, collector: Collector, path: str
    ) -> None:
        trace_id = uuid4().hex
        trace = {"X-Request-Id": f"req-{trace_id}", "sentry-trace": f"{trace_id}-{trace_id[:16]}-1"}
        answer(service.request("GET", path, {**SECRETS, **trace, **access.headers()}))
        sent = collector.inbox.wait_for(lambda: both_of(trace_id, collector), SECONDS)
        assert sent is not None, "event and transaction did not arrive"
        text = json.dumps(sent)
        for secret in (*SECRETS.values(), "9b1e33aa", WAREHOUSE.password):
            assert secret not in text
        error = sent["event"]
        assert error["request"]["headers"]["x-request-id"] == f"req-{trace_id}"
        assert error["tags"]["request_id"] == f"req-{trace_id}"
        assert error["breadcrumbs"]["values"][0]["data"]["request_id"] == f"req-{trace_id}"
        variables = [frame["vars"] for frame in error["exception"]["values"][-1]["stacktrace"]["frames"]]
        assert any("report_id" in names or "deadline_ms" in names for names in variables)

    def test_an_error_announces_that_it_ends_the_connection(
        self, service: ServiceProcess, access: DebugAccess
    ) -> None:
        with service.connect() as conversation:
            authorization = f"Authorization: Bearer {access.token()}\r\n".encode()
            conversation.send(b"GET /debug/crash HTTP/1.1\r\nHost: service.test\r\n" + authorization + b"\r\n")
            assert conversation.read_message()[1]["connection"] == "close"
            assert conversation.read_to_end() == b""

    def test_a_slow_query_does_not_hold_up_other_requests(self, service: ServiceProcess, access: DebugAccess) -> None:
        with service.request("GET", "/debug/slow-query?duration_ms=1000", access.headers()) as slow:
            assert answer(service.request("GET", "/health"))[0] == 200
            slow.connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                slow.connection.recv(1)

    @pytest.mark.parametrize(
        "path",
        [
            "/debug/crash?hold_ms=2001",
            "/debug/memory-spike?size_mb=257",
            "/debug/n-plus-one?players=51",
            "/debug/slow-query?duration_ms=2001",
            "/debug/timeout?deadline_ms=0",
            "/debug/timeout?rounds=20000001",
        ],
    )
    def test_a_parameter_beyond_its_ceiling_is_refused(
        self, service: ServiceProcess, access: DebugAccess, path: str
    ) -> None:
        status, _, body = answer(service.request("GET", path, access.headers()))
        assert status == 400
        assert "must be a whole number from" in body["error"]

    def test_requests_in_threads_and_on_the_event_loop_do_not_bleed_into_each_other(
        self, service: ServiceProcess, access: DebugAccess, collector: Collector
    ) -> None:
        paths = ["/debug/slow-query", "/debug/timeout"] * 4
        waiting = []
        for number, path in enumerate(paths):
            headers = {
                **access.headers(),
                "X-Debug-User": f"user-{number}",
                "sentry-trace": f"{number + 1:032x}-{number + 1:016x}-1",
            }
            waiting.append(service.request("GET", path, headers))
        for conversation in waiting:
            answer(conversation)
        users = {f"user-{number}" for number in range(len(paths))}
        by_user = collector.inbox.wait_for(lambda: all_of(users, errors_by_user(collector)), SECONDS)
        assert by_user is not None, f"only {errors_by_user(collector).keys()} were captured"
        for number, path in enumerate(paths):
            captured = by_user[f"user-{number}"]
            assert captured["transaction"] == path
            assert captured["tags"]["debug.scenario"] == path.removeprefix("/debug/")
            assert captured["contexts"]["trace"]["trace_id"] == f"{number + 1:032x}"
            assert captured["contexts"]["trace"]["parent_span_id"] == f"{number + 1:016x}"
            steps = captured["breadcrumbs"]["values"]
            assert [step["data"]["user_id"] for step in steps if "user_id" in step["data"]] == [f"user-{number}"]
            assert [step["category"] for step in steps].count("query") == 1


def both_of(trace_id: str, collector: Collector) -> dict[str, Any] | None:
    """The event and the transaction of a trace, once both are there."""
    envelopes = [arrival.envelope for arrival in collector.inbox.arrivals()]
    items = [item for envelope in envelopes if envelope is not None for item in envelope.items]
    sent = {
        item.type: item.json() for item in items if item.type in ("event", "transaction") and is_of(trace_id, item)
    }
    return sent if len(sent) == 2 else None


def is_of(trace_id: str, item: Item) -> bool:
    return bool(item.json()["contexts"]["trace"]["trace_id"] == trace_id)


def errors_by_user(collector: Collector) -> dict[str, dict[str, Any]]:
    envelopes = [arrival.envelope for arrival in collector.inbox.arrivals()]
    items = [item for envelope in envelopes if envelope is not None for item in envelope.items]
    events = [item.json() for item in items if item.type == "event"]
    return {event["user"]["id"]: event for event in events}


def all_of(users: set[str], found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]] | None:
    return found if users <= found.keys() else None
