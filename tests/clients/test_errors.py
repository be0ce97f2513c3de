"""Errors as they arrive over real gRPC, from both clients."""

import pytest
from fairlead import AsyncClient, Client, errors
from fairlead.errors import CallFailed, Violation
from grpc import StatusCode as Code

from tests.clients.conftest import QUICK
from tests.clients.fakes import Fail, FakeRouter

CASES = [
    (Fail(Code.INVALID_ARGUMENT, "REQUEST_INVALID"), errors.InvalidRequest),
    (Fail(Code.UNAUTHENTICATED, "CREDENTIALS_MISSING"), errors.NotAuthenticated),
    (Fail(Code.PERMISSION_DENIED, "ACCOUNT_FORBIDDEN"), errors.NotAllowed),
    (Fail(Code.NOT_FOUND, "ORDER_NOT_FOUND"), errors.NotFound),
    (Fail(Code.ALREADY_EXISTS, "CLIENT_ORDER_ID_CONFLICT"), errors.KeyConflict),
    (Fail(Code.ABORTED, "ORDER_VERSION_MISMATCH"), errors.VersionMismatch),
    (Fail(Code.ABORTED, "SLOW_CONSUMER"), errors.Aborted),
    (Fail(Code.FAILED_PRECONDITION, "ORDER_TERMINAL"), errors.OrderTerminal),
    (Fail(Code.FAILED_PRECONDITION, "ORDER_ACTION_PENDING"), errors.OrderActionPending),
    (Fail(Code.FAILED_PRECONDITION, "CURSOR_EPOCH_MISMATCH"), errors.EpochMismatch),
    (Fail(Code.FAILED_PRECONDITION, "A_REASON_OF_TOMORROW"), errors.PreconditionFailed),
    (Fail(Code.OUT_OF_RANGE, "CURSOR_EXPIRED"), errors.CursorExpired),
    (Fail(Code.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED"), errors.LimitExceeded),
    (Fail(Code.UNAVAILABLE, "VENUE_SESSION_DOWN"), errors.VenueSessionDown),
    (Fail(Code.UNAVAILABLE), errors.Unavailable),
    (Fail(Code.DEADLINE_EXCEEDED, "NOT_ROUTED_IN_TIME"), errors.DeadlineExceeded),
    (Fail(Code.CANCELLED), errors.Cancelled),
    (Fail(Code.INTERNAL, "INTERNAL"), errors.ServerFault),
    (Fail(Code.UNIMPLEMENTED), errors.ServerFault),
]


@pytest.mark.parametrize(("fail", "expected"), CASES, ids=[f"{f.code.name}/{f.reason}" for f, _ in CASES])
async def test_both_clients_raise_the_exception_of_the_status_and_reason(
    router: FakeRouter, target: str, client: Client, fail: Fail, expected: type[CallFailed]
) -> None:
    router.answers["GetOrder"] = [fail]

    with pytest.raises(expected) as raised:
        client.get_order("o1")
    async with AsyncClient(target, retry=QUICK) as asynchronous:
        with pytest.raises(expected) as awaited:
            await asynchronous.get_order("o1")

    assert type(raised.value) is type(awaited.value) is expected
    assert raised.value.code is awaited.value.code is fail.code
    assert raised.value.reason == awaited.value.reason == fail.reason


def test_an_error_keeps_its_metadata_and_the_fields_that_are_wrong(
    router: FakeRouter, client: Client
) -> None:
    router.answers["GetOrder"] = [
        Fail(
            Code.INVALID_ARGUMENT,
            "REQUEST_INVALID",
            "2 fields are wrong",
            metadata={"count": "2"},
            violations=[("order.order_id", "too long"), ("wait_for_version", "negative")],
            retry_delay=0.25,
        )
    ]

    with pytest.raises(errors.InvalidRequest) as raised:
        client.get_order("o1")

    assert raised.value.metadata == {"count": "2"}
    assert raised.value.violations == (
        Violation("order.order_id", "too long"),
        Violation("wait_for_version", "negative"),
    )
    assert raised.value.retry_delay == 0.25
    assert str(raised.value) == (
        "REQUEST_INVALID: 2 fields are wrong (order.order_id: too long; wait_for_version: negative)"
    )


def test_an_error_without_details_is_not_definite(router: FakeRouter, client: Client) -> None:
    router.answers["GetOrder"] = [Fail(Code.DEADLINE_EXCEEDED)]

    with pytest.raises(errors.DeadlineExceeded) as raised:
        client.get_order("o1")

    assert not raised.value.definite
    assert raised.value.metadata == {}


def test_nobody_listening_is_unavailable_not_unknown() -> None:
    with (
        Client("127.0.0.1:1", retry=QUICK) as client,
        pytest.raises(errors.Unavailable, match="failed to connect"),
    ):
        client.cancel_order("o1")
