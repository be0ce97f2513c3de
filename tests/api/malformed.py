"""Requests that are wrong in one place each, made from the descriptors and the rules that the protos state.

What is wrong with a value is said here anew, and not asked of the code under test: a form of text has its list of wrong
texts. Every field of every request comes up, also the fields of the messages within.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fairlead.v1 import annotations_pb2 as rules
from fairlead.v1.common_pb2 import ORDER_TYPE_LIMIT, OrderRef
from fairlead.v1.order_service_pb2 import (
    CancelAllOrdersRequest,
    SubmitOrderRequest,
    TradeHello,
    TradeSessionRequest,
)
from fairlead.v1.reference_service_pb2 import (
    DAY_OF_WEEK_MONDAY,
    Calendar,
    ImportInstrumentsRequest,
    Instrument,
    TradingSpan,
)
from fairlead.v1.risk_service_pb2 import (
    GetRiskStateRequest,
    LimitSet,
    RiskScope,
    SizeOrderRequest,
    UpdateLimitsRequest,
)
from fairlead.v1.session_service_pb2 import RequestOrderStatusRequest
from fairlead.v1.trading_control_service_pb2 import (
    ApproveLiveRequest,
    ArmDeadManSwitchRequest,
    RequestLiveRequest,
    RevokeLiveRequest,
    TradingScope,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

UUID = "123e4567-e89b-12d3-a456-426614174000"
CONTROL = ["\x00", "\x01", "\n", "\r", "\x1f", "\x7f", "\x9f"]
_NO_DECIMAL = [
    *("NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "1e3", "1E+3", "1e-3", "+1", "01", "-01", "00.5"),
    *(".5", "1.", "1,000", " 1", "1 ", "1_000", "0x10", "--1", "-", ".", "1.2.3", "\uff11", "\u0661"),
    *("1" * 19, "0.1234567890123", "1\n", "1\x01", "8=FIX.4.4\x01"),
]
_WRONG = {
    rules.TEXT_FORM_ID: [
        "x" * 37,
        "a b",
        "a/b",
        "a\u00e9",
        "a'--",
        "ID\x0135=D",
        *(f"a{c}b" for c in CONTROL),
        "a\n",
    ],
    rules.TEXT_FORM_UUID: [
        UUID.upper(),
        UUID[:-1],
        UUID + "0",
        "x" * 36,
        UUID.replace("-", ""),
        UUID[:-1] + "\x01",
    ],
    rules.TEXT_FORM_DECIMAL: _NO_DECIMAL,
    rules.TEXT_FORM_POSITIVE_DECIMAL: [*_NO_DECIMAL, "0", "0.0", "-0", "-0.00", "-1", "-0.5"],
    rules.TEXT_FORM_TEXT: [f"a{c}b" for c in CONTROL],
    rules.TEXT_FORM_LINES: [f"a{c}b" for c in CONTROL if c not in "\n\r"],
    rules.TEXT_FORM_TOKEN: ["a b", "%41", "x" * 1025, "a\x01", "\u00e9"],
}
_RIGHT = {
    rules.TEXT_FORM_ID: "some-id",
    rules.TEXT_FORM_UUID: UUID,
    rules.TEXT_FORM_DECIMAL: "50.00",
    rules.TEXT_FORM_POSITIVE_DECIMAL: "100",
    rules.TEXT_FORM_TEXT: "some words",
    rules.TEXT_FORM_LINES: "some\nlines\n",
    rules.TEXT_FORM_TOKEN: "token",
}
_UNKNOWN_NUMBERS = [99, -1, 2**31 - 1]
_WRONG_SEQ_NUM = [-1, -(2**63), 2**31, 2**63 - 1]
_WRONG_NUMBERS = {
    "page_size": [-1, -(2**31)],
    "max_batch_size": [-1, 0, 513],
    "days": [-1, -(2**31)],
    "expected_next_in": [0, *_WRONG_SEQ_NUM],
    "expected_next_out": [0, *_WRONG_SEQ_NUM],
    "next_in": _WRONG_SEQ_NUM,
    "next_out": _WRONG_SEQ_NUM,
    "min_msg_seq_num": [-1, -(2**63)],
    "max_msg_seq_num": [-1, -(2**63)],
    "epoch": [-1, -(2**63)],
}
_WRONG_TIMES = {
    "google.protobuf.Timestamp": [(-1, 0), (-(2**62), 0), (2**62, 0), (0, -1), (0, 10**9)],
    "google.protobuf.Duration": [(-1, 0), (0, -1), (2**40, 0), (1, 10**9), (10**8, 0)],
}


# What no rule beside a field says that the message needs.
_NEEDED: list[Message] = [
    OrderRef(order_id="some-id"),
    TradingScope(strategy_id="some-id"),
    RequestLiveRequest(session_id="some-id"),
    ApproveLiveRequest(session_id="some-id"),
    RevokeLiveRequest(session_id="some-id"),
    ArmDeadManSwitchRequest(timeout=Duration(seconds=60)),
    CancelAllOrdersRequest(account_id="nobody"),
    TradeSessionRequest(hello=TradeHello(session_key=UUID)),
    FieldMask(paths=["kind"]),
    Instrument(instrument_id="MADE", symbol="MADE", currency="USD", tick_size="1", lot_size="1"),
    ImportInstrumentsRequest(csv="instrument_id,symbol,currency,tick_size,lot_size", reason="some words"),
    Calendar(
        calendar_id="MADE",
        time_zone="UTC",
        spans=[TradingSpan(days=[DAY_OF_WEEK_MONDAY], opens="09:00", closes="10:00")],
    ),
    RequestOrderStatusRequest(session_id="some-id"),
    UpdateLimitsRequest(limit_set=LimitSet(limits={"max_position": "1"})),
    GetRiskStateRequest(scope=RiskScope(account_id="ACC1")),
    SizeOrderRequest(order=SubmitOrderRequest(order_type=ORDER_TYPE_LIMIT, price="100"), stop_price="50"),
]


@dataclass(frozen=True)
class Malformed:
    """``request`` is wrong in ``field``, because of ``value``."""

    request: Message
    field: str
    value: object

    def __str__(self) -> str:
        return f"{self.request.DESCRIPTOR.name}.{self.field} = {self.value!r:.60}"


def ordinary(descriptor: Descriptor) -> Any:
    """A request that has what it must have, and nothing wrong."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if rule_of(field).required:
            _set_right(message, field)
    needed = next((whole for whole in _NEEDED if whole.DESCRIPTOR is descriptor), None)
    if needed is not None:
        message.MergeFrom(needed)
    return message


def malformed(descriptor: Descriptor) -> Iterator[Malformed]:
    """Each field wrong in each of the ways in which it can be."""
    yield from _within(ordinary(descriptor), ())


def rule_of(field: FieldDescriptor) -> rules.FieldRule:
    return field.GetOptions().Extensions[rules.field]


def _within(root: Message, path: tuple[str, ...]) -> Iterator[Malformed]:
    """All that can be wrong with the message at ``path`` of ``root``."""
    for field in _at(root, path).DESCRIPTOR.fields:
        here = (*path, field.name)
        if rule_of(field).required:
            yield _cleared(root, here)
        if field.is_repeated:
            yield from _elements(root, here, field)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from _messages(root, here, field)
        else:
            for value in _wrong_values(field):
                yield _changed(root, here, value)


def _cleared(root: Message, path: tuple[str, ...]) -> Malformed:
    request = _copy(root)
    _at(request, path[:-1]).ClearField(path[-1])
    return Malformed(request, ".".join(path), None)


def _changed(root: Message, path: tuple[str, ...], value: object) -> Malformed:
    request = _copy(root)
    setattr(_at(request, path[:-1]), path[-1], value)
    return Malformed(request, ".".join(path), value)


def _wrong_values(field: FieldDescriptor) -> list[Any]:
    rule = rule_of(field)
    if field.type == FieldDescriptor.TYPE_ENUM:
        return [*_UNKNOWN_NUMBERS, *([0] if rule.required else [])]
    if field.type == FieldDescriptor.TYPE_STRING:
        lines = rule.form == rules.TEXT_FORM_LINES  # none at all are looked at by whoever reads them
        empty = [""] if rule.required or (field.has_presence and not lines) else []
        return [*_wrong_texts(rule), *empty]
    return _WRONG_NUMBERS.get(field.name, [])


def _wrong_texts(rule: rules.FieldRule) -> list[str]:
    most = rule.max_length
    too_long = ["x" * (most + 1), "\u00e9" * (most // 2 + 1), "x" * max(most + 1, 100_000)] if most else []
    return [*_WRONG[rule.form], *too_long]


def _messages(root: Message, path: tuple[str, ...], field: FieldDescriptor) -> Iterator[Malformed]:
    assert field.message_type is not None
    request = _copy(root)
    _set_right(_at(request, path[:-1]), field)
    if field.message_type.full_name == "google.protobuf.FieldMask":
        for paths in ([], ["Kind"], ["kind\x01"], ["x" * 65], ["kind"] * 101):
            mask = _copy(root)
            _at(mask, path).CopyFrom(FieldMask(paths=paths))
            yield Malformed(mask, ".".join(path), paths)
        return
    times = _WRONG_TIMES.get(field.message_type.full_name)
    if times is None:
        if field.message_type.name == "OrderRef":
            _at(request, path).Clear()
            yield Malformed(_copy(request), ".".join(path), "nothing")
            _set_right(_at(request, path[:-1]), field)
        yield from _within(request, path)
        return
    for seconds, nanos in times:
        wrong = _copy(root)
        _at(wrong, path).MergeFrom(GetMessageClass(field.message_type)(seconds=seconds, nanos=nanos))
        yield Malformed(wrong, ".".join(path), (seconds, nanos))


def _elements(root: Message, path: tuple[str, ...], field: FieldDescriptor) -> Iterator[Malformed]:
    rule, name = rule_of(field), ".".join(path)
    most = rule.max_items or 100
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    too_many: Any
    if is_map:
        too_many = {f"key-{n}": "value" for n in range(most + 1)}
        for text in _wrong_texts(rule):
            yield _filled(root, path, {text: "value"}, f"{name}[0]")
            yield _filled(root, path, {"key": text}, f"{name}[0].value")
        yield _filled(root, path, {"": "value"}, f"{name}[0]")
    elif field.type == FieldDescriptor.TYPE_ENUM:
        too_many = [1] * (most + 1)
        for number in (*_UNKNOWN_NUMBERS, 0):
            yield _filled(root, path, [1, number], f"{name}[1]")
    elif field.type == FieldDescriptor.TYPE_MESSAGE:  # each item is answered for by itself
        assert field.message_type is not None
        there = 1 if rule.required else 0
        too_many = [GetMessageClass(field.message_type)()] * (most + 1 - there)
        too_many = [GetMessageClass(field.message_type)()] * (most + 1)
    else:
        too_many = [_RIGHT[rule.form]] * (most + 1)
        for text in (*_wrong_texts(rule), ""):
            yield _filled(root, path, [_RIGHT[rule.form], text], f"{name}[1]")
    yield _filled(root, path, too_many, name)


def _filled(root: Message, path: tuple[str, ...], values: Any, name: str) -> Malformed:
    request = _copy(root)
    container = getattr(_at(request, path[:-1]), path[-1])
    if isinstance(values, dict):
        container.update(values)
    else:
        container.extend(values)
    return Malformed(request, name, values)


def _set_right(message: Any, field: FieldDescriptor) -> None:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        assert field.message_type is not None
        held = getattr(message, field.name)
        (held.add() if field.is_repeated else held).CopyFrom(ordinary(field.message_type))
    elif field.type != FieldDescriptor.TYPE_STRING:
        setattr(message, field.name, 1)
    else:
        setattr(message, field.name, _RIGHT[rule_of(field).form])


def _at(root: Message, path: tuple[str, ...]) -> Any:
    message: Any = root
    for name in path:
        message = getattr(message, name)
    return message


def _copy(message: Message) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
