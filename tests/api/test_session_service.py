"""What operators do to sessions, and how those are planned: against sessions that keep a list of what was done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import grpc
import pytest
from fairlead.v1 import common_pb2
from fairlead.v1 import session_service_pb2 as pb
from fairlead.v1.session_service_pb2_grpc import SessionServiceStub
from fairlead_server.api.server import Server
from fairlead_server.api.session_service import SessionService
from fairlead_server.api.tokens import Tokens
from fairlead_server.domain.errors import ConfigInvalid, SessionConnected, SessionNumbersMoved
from fairlead_server.domain.terms import OrderCapacity, OrderType, TimeInForce
from fairlead_server.domain.venue_rules import Capabilities, VenueRules
from fairlead_server.fix.schedule import Hours, Reset, Schedule
from fairlead_server.fix.terms import Numbers
from fairlead_server.routing.inquiries import Inquiries
from fairlead_server.routing.news import News
from fairlead_server.routing.order_entry import OrderRef
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Abilities, Operator, Reloaded, SessionView
from fairlead_server.store.batch import AuditRow, Batch
from fairlead_server.store.errors import StoreError
from msgspec.structs import replace

from tests.api.refusals import Refused, refused
from tests.stores import left

if TYPE_CHECKING:  # the stubs' types exist for the type checker only
    from fairlead.v1.session_service_pb2_grpc import SessionServiceAsyncStub

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
WHY = "agreed with the desk"


def view(session_id: str = "SIM44", **changes: Any) -> SessionView:
    ordinary = SessionView(
        session_id,
        "BACKOFF",
        "not connected yet",
        "FIX.4.4",
        "US",
        "THEM",
        "127.0.0.1",
        9876,
        next_in=12,
        next_out=40,
        epoch=1,
        connection_number=3,
        heart_bt_int=30,
        state_time=NOW,
        connect_time=None,
        active_time=None,
        last_sent_time=None,
        last_received_time=None,
    )
    return replace(ordinary, **changes)


class FakeSession:
    """Decides like a venue session: what it records becomes durable with the pipeline's next commit."""

    def __init__(self, pipeline: Pipeline, seen: SessionView, plan: Schedule) -> None:
        self._pipeline = pipeline
        self._plan = plan
        self.seen = seen
        self.connected = False
        self.rules = VenueRules(capabilities=Capabilities(order_types=frozenset({OrderType.LIMIT})))

    def view(self) -> SessionView:
        return self.seen

    def schedule(self) -> Schedule:
        return self._plan

    def abilities(self) -> Abilities:
        return Abilities(self.rules, frozenset({TimeInForce.DAY}), frozenset({OrderCapacity.AGENCY}))

    def start(self, by: Operator, now: datetime) -> None:
        self._done("start", by, now)
        self.seen = replace(self.seen, stopped=False, state="CONNECTING")

    def stop(self, by: Operator, now: datetime) -> None:
        self._done("stop", by, now)
        self.seen = replace(self.seen, stopped=True, state="DISABLED", reason=by.reason)

    def reset(self, expected: Numbers, wanted: Numbers, by: Operator, now: datetime) -> None:
        seen = self.seen
        if self.connected:
            raise SessionConnected(seen.session_id)
        if (expected.next_in, expected.next_out) != (seen.next_in, seen.next_out):
            raise SessionNumbersMoved(
                seen.session_id, expected.next_in, expected.next_out, seen.next_in, seen.next_out
            )
        self._done("reset", by, now)
        self.seen = replace(seen, next_in=wanted.next_in, next_out=wanted.next_out, epoch=seen.epoch + 1)

    def _done(self, action: str, by: Operator, now: datetime) -> None:
        with self._pipeline.deciding():
            row = AuditRow(now, by.principal, action, self.seen.session_id, by.reason)
            self._pipeline.batch.audit.append(row)


class FakeReloads:
    def __init__(self) -> None:
        self.asked: list[Operator] = []
        self.fault: ConfigInvalid | None = None

    async def reload(self, by: Operator, now: datetime) -> Reloaded:
        if self.fault is not None:
            raise self.fault
        self.asked.append(by)
        return Reloaded(added=("NEW",), changed=("SIM44", "SIM42"), removed=("OLD",))


@dataclass
class Desk:
    """The service with everything around it that a test looks at."""

    session: FakeSession
    reloads: FakeReloads
    stub: SessionServiceAsyncStub
    committed: list[Batch] = field(default_factory=list)
    broken: list[StoreError] = field(default_factory=list)

    @property
    def done(self) -> list[tuple[str, str, str]]:
        """What is durable."""
        return [(row.action, row.principal, row.reason) for batch in self.committed for row in batch.audit]


@asynccontextmanager
async def running(plan: Schedule | None = None, *, from_file: bool = True) -> AsyncIterator[Desk]:
    committed: list[Batch] = []
    broken: list[StoreError] = []

    def commit(batch: Batch) -> None:
        if broken:
            raise broken[0]
        committed.append(batch)

    pipeline = Pipeline(left(commit), lambda _: None, lambda _: None)
    session = FakeSession(pipeline, view(), plan or Schedule.always())
    reloads = FakeReloads()
    service = SessionService(
        {"SIM44": session},
        _no_inquiries(pipeline),
        reloads if from_file else None,
        NoJournal(),
        pipeline,
        News(),
        Tokens(b"secret", 1),
        lambda: NOW,
    )
    server = Server({"SessionService": service}, lambda: NOW, lambda _: "call-1", "server-1")
    port = await server.start("127.0.0.1", 0)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Desk(session, reloads, SessionServiceStub(channel), committed, broken)
    finally:
        await server.stop(0)
        await pipeline.close()


class NoJournal:
    def messages(self, query: object) -> list[Any]:
        return []

    def counters(self, names: object) -> dict[str, int]:
        return {}


def _no_inquiries(pipeline: Pipeline) -> Inquiries:
    """Asking venues is tested with a whole router, see test_session_journal."""

    def find(ref: OrderRef) -> Any:
        raise AssertionError(ref)

    nothing: Any = None
    return Inquiries(nothing, nothing, pipeline, {}, find)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with running() as up:
        yield up


# Start and stop.


async def test_a_stop_is_durable_and_audited_when_it_is_answered(desk: Desk) -> None:
    request = pb.StopSessionRequest(session_id="SIM44", reason=WHY)

    answer = await desk.stub.StopSession(request, metadata=(("x-client", "ops-7"),))

    assert desk.done == [("stop", "ops-7", WHY)]
    assert answer.session.stopped
    assert answer.session.state == pb.SESSION_STATE_DISABLED
    assert answer.session.state_reason == WHY


async def test_a_start_is_durable_and_audited_when_it_is_answered(desk: Desk) -> None:
    answer = await desk.stub.StartSession(pb.StartSessionRequest(session_id="SIM44", reason=WHY))

    assert desk.done == [("start", "", WHY)]
    assert not answer.session.stopped
    assert answer.session.state == pb.SESSION_STATE_CONNECTING


async def test_what_cannot_be_made_durable_is_not_answered_as_done(desk: Desk) -> None:
    desk.broken.append(StoreError("sqlite://", "the disk is full", "make room"))

    wrong = await refused(desk.stub.StopSession(pb.StopSessionRequest(session_id="SIM44", reason=WHY)))

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")


@pytest.mark.parametrize("method", ["StartSession", "StopSession"])
async def test_an_unknown_session_is_not_found(desk: Desk, method: str) -> None:
    request = _REQUESTS[method](session_id="NOBODY", reason=WHY)

    wrong = await refused(getattr(desk.stub, method)(request))

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
    assert wrong.facts == {"session_id": "NOBODY"}


@pytest.mark.parametrize("method", ["StartSession", "StopSession", "ResetSessionSequence"])
async def test_nothing_is_done_without_a_reason(desk: Desk, method: str) -> None:
    wrong = await refused(getattr(desk.stub, method)(_REQUESTS[method](session_id="SIM44")))

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert "reason" in wrong.fields
    assert desk.done == []


_REQUESTS: dict[str, Any] = {
    "StartSession": pb.StartSessionRequest,
    "StopSession": pb.StopSessionRequest,
    "ResetSessionSequence": pb.ResetSessionSequenceRequest,
}


# Numbers.


def reset(**changes: Any) -> pb.ResetSessionSequenceRequest:
    ordinary: dict[str, Any] = {
        "session_id": "SIM44",
        "expected_next_in": 12,
        "expected_next_out": 40,
        "reason": WHY,
    }
    return pb.ResetSessionSequenceRequest(**{**ordinary, **changes})


async def test_numbers_begin_at_one_unless_told_otherwise(desk: Desk) -> None:
    first = (await desk.stub.ResetSessionSequence(reset())).session
    again = reset(expected_next_in=1, expected_next_out=1, next_in=7, next_out=2147483647)
    second = (await desk.stub.ResetSessionSequence(again)).session

    assert (first.next_in, first.next_out, first.epoch) == (1, 1, 2)
    assert (second.next_in, second.next_out, second.epoch) == (7, 2147483647, 3)
    assert desk.done == [("reset", "", WHY), ("reset", "", WHY)]


async def test_numbers_that_have_moved_are_told_and_stay(desk: Desk) -> None:
    wrong = await refused(desk.stub.ResetSessionSequence(reset(expected_next_in=11)))

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.ABORTED, "SESSION_NUMBERS_MOVED")
    assert wrong.facts == {
        "session_id": "SIM44",
        "expected_in": "11",
        "expected_out": "40",
        "actual_in": "12",
        "actual_out": "40",
    }
    assert desk.session.seen.next_in == 12
    assert desk.done == []


async def test_the_numbers_of_a_connected_session_stay(desk: Desk) -> None:
    desk.session.connected = True

    wrong = await refused(desk.stub.ResetSessionSequence(reset()))

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_CONNECTED")


@pytest.mark.parametrize("name", ["expected_next_in", "expected_next_out", "next_in", "next_out"])
@pytest.mark.parametrize("value", [-1, 2**31])
async def test_a_number_is_between_one_and_what_engines_count_to(desk: Desk, name: str, value: int) -> None:
    wrong = await refused(desk.stub.ResetSessionSequence(reset(**{name: value})))

    assert wrong.code == grpc.StatusCode.INVALID_ARGUMENT
    assert wrong.fields == [name]


async def test_the_expected_numbers_must_be_given(desk: Desk) -> None:
    request = pb.ResetSessionSequenceRequest(session_id="SIM44", reason=WHY)

    wrong = await refused(desk.stub.ResetSessionSequence(request))

    assert wrong.fields == ["expected_next_in", "expected_next_out"]


# Plans.


WORKDAYS = frozenset(range(5))
TRADING = Schedule(
    (Hours(WORKDAYS, time(7, tzinfo=NEW_YORK), time(19, tzinfo=NEW_YORK)),),
    (Reset(frozenset({6}), time(12, tzinfo=NEW_YORK)),),
)


async def test_a_plan_is_instants_of_the_next_days() -> None:
    async with running(TRADING) as desk:
        plan = await desk.stub.GetSessionSchedule(
            pb.GetSessionScheduleRequest(session_id="SIM44", days=4)  # a Friday morning in New York
        )

    spans = [(each.open_time.ToDatetime(UTC), each.close_time.ToDatetime(UTC)) for each in plan.windows]
    twelve = timedelta(hours=12)
    opens = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in (20, 23, 24)]
    assert spans == [(at, at + twelve) for at in opens]
    assert [at.ToDatetime(UTC) for at in plan.reset_times] == [datetime(2026, 11, 22, 17, tzinfo=UTC)]
    assert plan.open
    assert plan.time_zone == "America/New_York"
    assert plan.from_time.ToDatetime(UTC) == NOW
    assert plan.until_time.ToDatetime(UTC) == NOW + timedelta(days=4)


async def test_a_session_that_is_always_open_neither_opens_nor_closes(desk: Desk) -> None:
    plan = await desk.stub.GetSessionSchedule(pb.GetSessionScheduleRequest(session_id="SIM44"))

    (window,) = plan.windows
    assert plan.open
    assert not window.HasField("open_time")
    assert not window.HasField("close_time")


@pytest.mark.parametrize(("days", "planned"), [(0, 7), (1, 1), (366, 366), (5000, 366)])
async def test_a_plan_is_of_a_week_unless_told_otherwise_and_of_a_year_at_most(
    desk: Desk, days: int, planned: int
) -> None:
    plan = await desk.stub.GetSessionSchedule(pb.GetSessionScheduleRequest(session_id="SIM44", days=days))

    assert plan.until_time.ToDatetime(UTC) - NOW == timedelta(days=planned)
    assert plan.time_zone == "UTC"


async def test_a_plan_of_the_past_is_refused(desk: Desk) -> None:
    wrong = await refused(
        desk.stub.GetSessionSchedule(pb.GetSessionScheduleRequest(session_id="SIM44", days=-1))
    )

    assert wrong.fields == ["days"]


# The facts of a session.


async def test_a_session_says_all_that_is_known_of_it(desk: Desk) -> None:
    desk.session.seen = view(
        state="HALTED",
        queued=3,
        unsent_bytes=4096,
        repair="fairlead session start SIM44",
        tls=True,
        opens=NOW + timedelta(hours=1),
        closes=NOW + timedelta(hours=2),
        next_reset=NOW + timedelta(hours=3),
        stopped=True,
    )

    session = (await desk.stub.GetSession(pb.GetSessionRequest(session_id="SIM44"))).session

    assert (session.queued, session.unsent_bytes, session.tls, session.stopped) == (3, 4096, True, True)
    assert session.repair == "fairlead session start SIM44"
    times = (session.next_open_time, session.next_close_time, session.next_reset_time)
    assert [at.ToDatetime(UTC) - NOW for at in times] == [timedelta(hours=n) for n in (1, 2, 3)]


# Reloading.


async def reloaded(desk: Desk) -> pb.ReloadSessionsResponse:
    return await desk.stub.ReloadSessions(pb.ReloadSessionsRequest(reason=WHY))


async def test_a_reload_says_what_was_different(desk: Desk) -> None:
    answer = await reloaded(desk)

    assert desk.reloads.asked == [Operator("", WHY)]
    assert list(answer.added_session_ids) == ["NEW"]
    assert list(answer.changed_session_ids) == ["SIM44", "SIM42"]
    assert list(answer.removed_session_ids) == ["OLD"]


async def test_a_configuration_that_is_wrong_is_refused_with_its_place(desk: Desk) -> None:
    desk.reloads.fault = ConfigInvalid("router.toml", "sessions.SIM44.host", "is required")

    wrong = await refused(reloaded(desk))

    assert (wrong.code, wrong.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CONFIG_INVALID")
    assert wrong.facts == {"file": "router.toml", "key": "sessions.SIM44.host", "problem": "is required"}


async def test_a_server_without_a_file_has_nothing_to_reload() -> None:
    async with running(from_file=False) as desk:
        wrong: Refused = await refused(reloaded(desk))

    assert (wrong.reason, wrong.text) == (
        "CONFIG_INVALID",
        "this server does not read its configuration anew",
    )


async def test_one_session_tells_what_its_venue_does_with_orders(desk: Desk) -> None:
    session = (await desk.stub.GetSession(pb.GetSessionRequest(session_id="SIM44"))).session
    listed = (await desk.stub.ListSessions(pb.ListSessionsRequest())).sessions

    rules = session.venue_rules
    assert list(rules.order_types) == [common_pb2.ORDER_TYPE_LIMIT]
    assert list(rules.times_in_force) == [common_pb2.TIME_IN_FORCE_DAY]
    assert list(rules.order_capacities) == [common_pb2.ORDER_CAPACITY_AGENCY]
    assert (rules.amend, rules.mass_status, rules.mass_cancel) == (True, False, False)
    assert rules.chain_mode == pb.CHAIN_MODE_SERIAL
    assert rules.replace_quantity == pb.REPLACE_QUANTITY_TOTAL
    assert rules.exec_id_scope == pb.EXEC_ID_SCOPE_SESSION
    assert (rules.inflight_warn.seconds, rules.inflight_alarm.seconds) == (5, 30)
    assert not any(each.HasField("venue_rules") for each in listed)
