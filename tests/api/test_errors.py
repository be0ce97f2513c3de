"""One table from error to status: each row as the client sees it, over a connection."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from fairlead.v1.error_reason_pb2 import ErrorReason
from fairlead.v1.system_service_pb2 import GetServerInfoRequest, GetServerInfoResponse
from fairlead.v1.system_service_pb2_grpc import SystemServiceStub
from fairlead_server.api import errors as table
from fairlead_server.api.caller import Caller
from fairlead_server.api.server import Server
from fairlead_server.api.tokens import TokenError
from fairlead_server.domain import errors
from fairlead_server.store.database import StoreError
from google.rpc import error_details_pb2

from tests.api.refusals import Refused, refused

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
Code = grpc.StatusCode


@dataclass(frozen=True)
class Row:
    error: Exception
    code: grpc.StatusCode
    reason: str
    facts: dict[str, str] = field(default_factory=dict)
    details: list[str] = field(default_factory=list)  # beside the ErrorInfo

    def __str__(self) -> str:
        return self.reason


ROWS = [
    Row(
        errors.InvalidRequest([("price", "must be a number"), ("side", "is required")]),
        Code.INVALID_ARGUMENT,
        "REQUEST_INVALID",
        {"field": "price"},
        ["BadRequest"],
    ),
    Row(errors.UnknownOrder("O1"), Code.NOT_FOUND, "ORDER_NOT_FOUND", {"order_id": "O1"}, ["ResourceInfo"]),
    Row(
        errors.UnknownOrder("ACC1/key-1"),
        Code.NOT_FOUND,
        "ORDER_NOT_FOUND",
        {"account_id": "ACC1", "client_order_id": "key-1"},
        ["ResourceInfo"],
    ),
    Row(
        errors.NotInDoubt("O1", "WORKING", sent=True),
        Code.FAILED_PRECONDITION,
        "ORDER_NOT_IN_DOUBT",
        {"order_id": "O1", "state": "WORKING"},
        ["PreconditionFailure"],
    ),
    Row(
        errors.UnknownDeadManSwitch("everything"),
        Code.FAILED_PRECONDITION,
        "DEAD_MAN_NOT_ARMED",
        {"scope": "everything"},
    ),
    Row(
        errors.LiveNotRequested("account_id=A"),
        Code.FAILED_PRECONDITION,
        "LIVE_NOT_REQUESTED",
        {"scope": "account_id=A"},
    ),
    Row(
        errors.UnknownFlatten("F1"),
        Code.NOT_FOUND,
        "FLATTEN_NOT_FOUND",
        {"flatten_id": "F1"},
        ["ResourceInfo"],
    ),
    Row(
        errors.KillSwitchOn("everything"),
        Code.FAILED_PRECONDITION,
        "KILL_SWITCH_ON",
        {"scope": "everything"},
    ),
    Row(
        errors.KillSwitchOff("account_id=ACC1"),
        Code.FAILED_PRECONDITION,
        "KILL_SWITCH_OFF",
        {"scope": "account_id=ACC1"},
    ),
    Row(
        errors.AnotherPersonNeeded("release", "ann"),
        Code.PERMISSION_DENIED,
        "ANOTHER_PERSON_NEEDED",
        {"action": "release", "first": "ann"},
    ),
    Row(errors.BatchStopped(3), Code.ABORTED, "BATCH_STOPPED", {"failed_index": "3"}),
    Row(errors.BatchNotPassed(3), Code.ABORTED, "BATCH_NOT_PASSED", {"failed_index": "3"}),
    Row(
        errors.UnknownSession("S1"),
        Code.NOT_FOUND,
        "SESSION_NOT_FOUND",
        {"session_id": "S1"},
        ["ResourceInfo"],
    ),
    Row(
        errors.UnknownLimitSet("day"),
        Code.NOT_FOUND,
        "LIMIT_SET_NOT_FOUND",
        {"limit_id": "day"},
        ["ResourceInfo"],
    ),
    Row(
        errors.LimitSetFixed("file:DEMO"),
        Code.FAILED_PRECONDITION,
        "LIMIT_SET_FIXED",
        {"limit_id": "file:DEMO"},
    ),
    Row(
        errors.EtagMismatch("limit set", "day", "abc", "def"),
        Code.ABORTED,
        "ETAG_MISMATCH",
        {"kind": "limit set", "name": "day", "expected": "abc", "actual": "def"},
    ),
    Row(
        errors.UnknownInstrument("ACME"),
        Code.NOT_FOUND,
        "INSTRUMENT_NOT_FOUND",
        {"instrument_id": "ACME"},
        ["ResourceInfo"],
    ),
    Row(
        errors.InstrumentExists("NEW", "ACME", "ACM"),
        Code.ALREADY_EXISTS,
        "INSTRUMENT_EXISTS",
        {"instrument_id": "NEW", "owner": "ACME", "symbol": "ACM"},
    ),
    Row(
        errors.InstrumentInUse("ACME"),
        Code.FAILED_PRECONDITION,
        "INSTRUMENT_IN_USE",
        {"instrument_id": "ACME"},
    ),
    Row(
        errors.InstrumentConfigured("ACME"),
        Code.FAILED_PRECONDITION,
        "INSTRUMENT_CONFIGURED",
        {"instrument_id": "ACME"},
    ),
    Row(
        errors.InstrumentsInvalid([(3, "symbol", "is missing"), (4, "", "x" * 9999)]),
        Code.INVALID_ARGUMENT,
        "INSTRUMENTS_INVALID",
        {"line": "3", "column": "symbol", "problem": "is missing", "problems": "2"},
        ["BadRequest"],
    ),
    Row(
        errors.UnknownCalendar("XNYS"),
        Code.NOT_FOUND,
        "CALENDAR_NOT_FOUND",
        {"calendar_id": "XNYS"},
        ["ResourceInfo"],
    ),
    Row(
        errors.CalendarInUse("XNYS", ["ACME", "FAR"]),
        Code.FAILED_PRECONDITION,
        "CALENDAR_IN_USE",
        {"calendar_id": "XNYS", "instrument_id": "ACME", "instruments": "2"},
    ),
    Row(
        errors.CalendarConfigured("XNYS"),
        Code.FAILED_PRECONDITION,
        "CALENDAR_CONFIGURED",
        {"calendar_id": "XNYS"},
    ),
    Row(
        errors.UnknownBackup("B1"), Code.NOT_FOUND, "BACKUP_NOT_FOUND", {"backup_id": "B1"}, ["ResourceInfo"]
    ),
    Row(
        errors.PriceOutdated("ACME", NOW, NOW),
        Code.FAILED_PRECONDITION,
        "PRICE_OUTDATED",
        {"instrument_id": "ACME", "price_time": NOW.isoformat(), "known_time": NOW.isoformat()},
    ),
    Row(
        errors.ClientOrderIdConflict("key-1", "O1", ["price", "quantity"]),
        Code.ALREADY_EXISTS,
        "CLIENT_ORDER_ID_CONFLICT",
        {"client_order_id": "key-1", "order_id": "O1", "differing_fields": "price,quantity"},
    ),
    Row(
        errors.RequestIdConflict("R1", "O1"),
        Code.ALREADY_EXISTS,
        "REQUEST_ID_CONFLICT",
        {"request_id": "R1", "order_id": "O1"},
    ),
    Row(
        errors.VersionMismatch("O1", 2, 3),
        Code.ABORTED,
        "ORDER_VERSION_MISMATCH",
        {"order_id": "O1", "expected": "2", "actual": "3"},
    ),
    Row(
        errors.OrderTerminal("O1", "FILLED"),
        Code.FAILED_PRECONDITION,
        "ORDER_TERMINAL",
        {"order_id": "O1", "state": "FILLED"},
        ["PreconditionFailure"],
    ),
    Row(
        errors.ActionPending("O1", "AMEND"),
        Code.FAILED_PRECONDITION,
        "ORDER_ACTION_PENDING",
        {"order_id": "O1", "pending_action": "AMEND"},
        ["RetryInfo"],
    ),
    Row(
        errors.CapabilityMissing("S1", "SELF_MATCH_ID"),
        Code.FAILED_PRECONDITION,
        "VENUE_CAPABILITY_MISSING",
        {"session_id": "S1", "capability": "SELF_MATCH_ID"},
    ),
    Row(
        errors.SessionConnected("S1"),
        Code.FAILED_PRECONDITION,
        "SESSION_CONNECTED",
        {"session_id": "S1"},
        ["PreconditionFailure"],
    ),
    Row(
        errors.SessionNumbersMoved("S1", 12, 40, 13, 41),
        Code.ABORTED,
        "SESSION_NUMBERS_MOVED",
        {
            "session_id": "S1",
            "expected_in": "12",
            "expected_out": "40",
            "actual_in": "13",
            "actual_out": "41",
        },
    ),
    Row(
        errors.ConfigInvalid("router.toml", "sessions.S1", "no host"),
        Code.FAILED_PRECONDITION,
        "CONFIG_INVALID",
        {"file": "router.toml", "key": "sessions.S1", "problem": "no host"},
    ),
    Row(
        errors.VenueUnavailable("S1", NOW),
        Code.UNAVAILABLE,
        "VENUE_SESSION_DOWN",
        {"session_id": "S1", "down_since": "2026-11-20T15:00:00+00:00"},
        ["RetryInfo"],
    ),
    Row(
        errors.VenueUnavailable("S1", None),
        Code.UNAVAILABLE,
        "VENUE_SESSION_DOWN",
        {"session_id": "S1", "down_since": ""},
        ["RetryInfo"],
    ),
    Row(errors.NotRoutedInTime(), Code.DEADLINE_EXCEEDED, "NOT_ROUTED_IN_TIME"),
    Row(errors.StoreUnavailable(), Code.UNAVAILABLE, "STORE_UNAVAILABLE", {}, ["RetryInfo"]),
    Row(errors.NotStorable("order A/1"), Code.INTERNAL, "INTERNAL"),
    Row(
        StoreError("postgresql://u:secret@db/x", "disk of host-7 is full", "free some"),
        Code.UNAVAILABLE,
        "STORE_UNAVAILABLE",
        {},
        ["RetryInfo"],
    ),
    Row(errors.StreamReplaced("key"), Code.ABORTED, "STREAM_REPLACED", {"session_key": "key"}),
    Row(errors.Draining(), Code.UNAVAILABLE, "SERVER_DRAINING", {}, ["RetryInfo"]),
    Row(
        TokenError("page_token", "PAGE_TOKEN_INVALID", "not ours"),
        Code.INVALID_ARGUMENT,
        "PAGE_TOKEN_INVALID",
        {"field": "page_token"},
    ),
    Row(
        TokenError("after_cursor", "CURSOR_INVALID", "not ours"),
        Code.INVALID_ARGUMENT,
        "CURSOR_INVALID",
        {"field": "after_cursor"},
    ),
    Row(
        TokenError("after_cursor", "CURSOR_FILTER_MISMATCH", "another filter"),
        Code.INVALID_ARGUMENT,
        "CURSOR_FILTER_MISMATCH",
        {"field": "after_cursor"},
    ),
    Row(
        TokenError("after_cursor", "CURSOR_EPOCH_MISMATCH", "another log", cursor_epoch="1", epoch="2"),
        Code.FAILED_PRECONDITION,
        "CURSOR_EPOCH_MISMATCH",
        {"field": "after_cursor", "cursor_epoch": "1", "epoch": "2"},
    ),
    Row(
        TokenError("after_cursor", "CURSOR_EXPIRED", "too old"),
        Code.OUT_OF_RANGE,
        "CURSOR_EXPIRED",
        {"field": "after_cursor"},
    ),
]


class Failing:
    """SystemService whose only method fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def get_server_info(self, request: GetServerInfoRequest, caller: Caller) -> GetServerInfoResponse:
        raise self._error


@asynccontextmanager
async def serving(handlers: object) -> AsyncIterator[Any]:
    server = Server({"SystemService": handlers}, lambda: NOW, lambda _: "id-1", "server-1")
    port = await server.start("127.0.0.1", 0)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield SystemServiceStub(channel)
    finally:
        await server.stop(0)


async def failed(error: Exception, **call: Any) -> Refused:
    async with serving(Failing(error)) as stub:
        return await refused(stub.GetServerInfo(GetServerInfoRequest(), **call))


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_an_error_becomes_its_status(row: Row) -> None:
    seen = await failed(row.error)

    assert (seen.code, seen.reason, seen.domain, seen.facts) == (row.code, row.reason, "fairlead", row.facts)
    assert seen.kinds == ["ErrorInfo", *row.details]
    assert seen.size < 4096


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_every_variable_part_of_the_text_is_also_a_fact(row: Row) -> None:
    """AIP-193: nobody should have to take a text apart."""
    seen = await failed(row.error)

    for value in seen.facts.values():
        for part in filter(None, value.split(",")):
            assert part.removesuffix("+00:00") in seen.text or row.reason in NOT_IN_THE_TEXT


NOT_IN_THE_TEXT = {"INSTRUMENTS_INVALID", "PAGE_TOKEN_INVALID"} | {
    row.reason for row in ROWS if row.reason.startswith("CURSOR_")
}


async def test_what_a_store_says_of_itself_stays_inside() -> None:
    seen = await failed(StoreError("sqlite:////home/me/fairlead.db", "disk is full", "free some"))

    assert seen.text == "the store cannot be read"


async def test_a_resource_that_is_not_there_is_named_with_its_type() -> None:
    seen = await failed(errors.UnknownSession("S1"))

    detail = seen.detail(error_details_pb2.ResourceInfo)
    assert (detail.resource_type, detail.resource_name) == ("fairlead.v1.Session", "S1")


async def test_a_failed_precondition_names_its_subject() -> None:
    seen = await failed(errors.OrderTerminal("O1", "FILLED"))

    (violation,) = seen.detail(error_details_pb2.PreconditionFailure).violations
    assert (violation.type, violation.subject) == ("ORDER_STATE", "O1")


async def test_a_client_is_told_when_to_try_again() -> None:
    seen = await failed(errors.Draining())

    assert seen.detail(error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() == 1000


async def test_a_fault_of_ours_keeps_its_text_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    fault = ZeroDivisionError("the password is hunter2")

    with caplog.at_level(logging.ERROR):
        seen = await failed(fault, metadata=(("x-request-id", "call-7"),))

    assert (seen.code, seen.reason, seen.text) == (Code.INTERNAL, "INTERNAL", "internal error")
    assert seen.detail(error_details_pb2.RequestInfo).request_id == "call-7"
    assert b"hunter2" not in seen.metadata["grpc-status-details-bin"]
    assert "call call-7 failed" in caplog.text
    assert "hunter2" in caplog.text


async def test_an_answer_that_cannot_be_written_is_a_fault_of_ours() -> None:
    class Answering:
        async def get_server_info(self, request: GetServerInfoRequest, caller: Caller) -> object:
            return "no message"

    async with serving(Answering()) as stub:
        seen = await refused(stub.GetServerInfo(GetServerInfoRequest()))

    assert seen.reason == "INTERNAL"


def test_details_stay_small_whatever_is_in_them() -> None:
    violations = [("field." * 1000, "wrong " * 1000)] * 1000

    found = table.refusal(errors.InvalidRequest(violations))

    assert found is not None
    assert found.status().ByteSize() < 4096


def test_the_table_covers_every_error() -> None:
    kinds = {*subclasses(errors.RouterError), TokenError, StoreError}

    assert {type(row.error) for row in ROWS} == kinds
    assert all(table.refusal(row.error) for row in ROWS)


def test_an_unknown_error_is_not_in_the_table() -> None:
    assert table.refusal(ValueError("x")) is None


def test_every_reason_is_published() -> None:
    reasons = [*(row.reason for row in ROWS), table.internal("x").reason, table.slow_consumer("c", 1).reason]

    assert {f"ERROR_REASON_{reason}" for reason in reasons} <= set(ErrorReason.keys())


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)
