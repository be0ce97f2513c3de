"""A request that is wrong whatever the state of the system is refused, field by field, and leaves no trace."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from fairlead.v1.execution_service_pb2 import ExecutionFilter, ListExecutionsRequest
from fairlead.v1.order_service_pb2 import SubmitOrderRequest
from fairlead.v1.session_service_pb2 import ReloadSessionsRequest
from fairlead_server.api.server import SERVICES
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.rpc import error_details_pb2

from tests.api.malformed import CONTROL, Malformed, malformed, ordinary
from tests.api.refusals import Refused, refused
from tests.api.router import Router, new_order

pytestmark = pytest.mark.asyncio(loop_scope="module")

METHODS = [method for service in SERVICES.values() for method in service.methods]
_DETAILS = 4096  # bytes


def named(method: Any) -> str:
    return str(method.name)


@pytest.mark.parametrize("method", METHODS, ids=named)
async def test_each_wrong_field_is_named_and_nothing_comes_of_it(
    shared: Router, method: MethodDescriptor
) -> None:
    before = await shared.log()

    for case in malformed(method.input_type):
        answer = await refused(call(shared, method, case.request.SerializeToString()))
        expect_invalid(answer, case)

    assert await shared.log() == before
    assert not shared.broker.heard


def expect_invalid(answer: Refused, case: Malformed) -> None:
    seen = (answer.code, answer.reason, answer.fields)
    assert seen == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", [case.field]), str(case)
    assert answer.domain == "fairlead"
    assert answer.facts == {"field": case.field}
    assert case.field in answer.text
    assert not any(control in answer.text for control in CONTROL)
    assert answer.size < _DETAILS


@pytest.mark.parametrize("method", METHODS, ids=named)
async def test_an_ordinary_request_is_not_called_malformed(shared: Router, method: MethodDescriptor) -> None:
    request = ordinary(method.input_type)
    if isinstance(request, SubmitOrderRequest):
        request.account_id = "nobody"  # refused by risk, and not sent

    told = await status(call(shared, method, request.SerializeToString()))

    fine = {grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND}
    if isinstance(request, ReloadSessionsRequest):
        fine = {grpc.StatusCode.FAILED_PRECONDITION}  # this router has no file to read anew
    if method.name == "DisarmDeadManSwitch":
        fine.add(grpc.StatusCode.FAILED_PRECONDITION)  # perhaps none is armed
    if method.name in ("ActivateKillSwitch", "ReleaseKillSwitch", "Flatten"):
        fine.add(grpc.StatusCode.ALREADY_EXISTS)  # the same key was another's
    assert told in fine


@dataclass(frozen=True)
class Bytes:
    what: str
    data: bytes


def unreadable(descriptor: Descriptor) -> Iterator[Bytes]:
    whole = ordinary(descriptor).SerializeToString()
    yield Bytes("cut off in a length", whole + b"\x0a")
    yield Bytes("shorter than it says", whole + b"\x0a\x7fabc")
    yield Bytes("a group that never ends", whole + b"\x0b")
    yield Bytes("a length beyond all bounds", whole + b"\x0a\xff\xff\xff\xff\x0f")
    for field in descriptor.fields:
        if field.type == field.TYPE_STRING:
            yield Bytes(f"{field.name} is not UTF-8", whole + _tag(field.number) + b"\x03a\xff\xfe")


@pytest.mark.parametrize("method", METHODS, ids=named)
async def test_bytes_that_are_no_message_are_refused(shared: Router, method: MethodDescriptor) -> None:
    before = await shared.log()

    for case in unreadable(method.input_type):
        answer = await refused(call(shared, method, case.data))
        seen = (answer.code, answer.reason, answer.fields)
        assert seen == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID", ["request"]), case.what

    assert await shared.log() == before
    assert not shared.broker.heard


async def test_everything_that_is_wrong_is_told_at_once(shared: Router) -> None:
    request = new_order(account_id="", quantity="NaN", price="1e3", side=99, tags={"a": "b\x01"})

    answer = await refused(shared.orders.SubmitOrder(request))

    assert answer.fields == ["account_id", "side", "quantity", "price", "tags[0].value"]
    assert answer.text.endswith("(and 2 more)")


async def test_of_many_wrong_fields_twenty_are_told(shared: Router) -> None:
    wrong = ["not an id"] * 100
    criteria = ExecutionFilter(account_ids=wrong, instrument_ids=wrong, strategy_ids=wrong, session_ids=wrong)

    answer = await refused(shared.executions.ListExecutions(ListExecutionsRequest(filter=criteria)))

    assert answer.fields == [f"filter.account_ids[{n}]" for n in range(20)]
    assert answer.text.endswith("(and 397 more)")
    assert answer.size < _DETAILS


async def test_values_of_a_megabyte_are_not_sent_back(shared: Router) -> None:
    huge = "x" * 1_000_000
    request = new_order(account_id=huge, client_order_id=huge, note=huge)

    answer = await refused(shared.orders.SubmitOrder(request))

    assert answer.fields == ["account_id", "client_order_id", "note"]
    assert answer.size < _DETAILS


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"time_in_force": "TIME_IN_FORCE_GTD"}, ["expire_time"]),
        ({"time_in_force": "TIME_IN_FORCE_DAY", "expire_time": {"seconds": 1}}, ["expire_time"]),
        ({"expire_time": {"seconds": 1}}, ["expire_time"]),
        ({"display_quantity": "100.5"}, ["display_quantity"]),
        ({"min_quantity": "101"}, ["min_quantity"]),
        ({"post_only": True, "order_type": "ORDER_TYPE_MARKET", "price": None}, ["post_only"]),
        ({"display_quantity": "101", "min_quantity": "101"}, ["display_quantity", "min_quantity"]),
    ],
    ids=str,
)
async def test_fields_that_contradict_each_other_are_refused(
    shared: Router, changes: dict[str, Any], fields: list[str]
) -> None:
    answer = await refused(shared.orders.SubmitOrder(new_order(**changes)))

    assert answer.fields == fields
    assert answer.facts == {"field": fields[0]}
    assert not shared.broker.heard


async def test_a_violation_says_what_would_be_right(shared: Router) -> None:
    answer = await refused(shared.orders.SubmitOrder(new_order(price="1e3")))

    (violation,) = answer.detail(error_details_pb2.BadRequest).field_violations
    assert violation.description.startswith("must be a decimal number such as 101.25: no exponent")


async def status(calling: Awaitable[object]) -> grpc.StatusCode:
    try:
        await calling
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def call(router: Router, method: MethodDescriptor, data: bytes) -> bytes:
    """The answer to the bytes as they are; of a stream the first message, which a good request gets at once."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    if not method.server_streaming:
        unary: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = router.channel.unary_unary(path)
        return await unary(data)
    streaming: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = router.channel.unary_stream(path)
    call = streaming(data)
    first = await call.read()
    call.cancel()
    assert isinstance(first, bytes)
    return first


def _tag(number: int) -> bytes:
    key = number << 3 | 2
    return bytes([key]) if key < 0x80 else bytes([key & 0x7F | 0x80, key >> 7])
