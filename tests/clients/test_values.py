from enum import IntEnum

import pytest
from fairlead import values
from fairlead.v1 import common_pb2, execution_service_pb2, session_service_pb2
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper


@pytest.mark.parametrize(
    ("ours", "published", "prefix"),
    [
        (values.Side, common_pb2.Side, "SIDE_"),
        (values.OrderType, common_pb2.OrderType, "ORDER_TYPE_"),
        (values.TimeInForce, common_pb2.TimeInForce, "TIME_IN_FORCE_"),
        (values.AckLevel, common_pb2.AckLevel, "ACK_LEVEL_"),
        (values.OrderCapacity, common_pb2.OrderCapacity, "ORDER_CAPACITY_"),
        (values.ManualIndicator, common_pb2.ManualIndicator, "MANUAL_INDICATOR_"),
        (values.OrderState, common_pb2.OrderState, "ORDER_STATE_"),
        (values.ExecutionKind, execution_service_pb2.ExecutionKind, "EXECUTION_KIND_"),
        (values.StartPosition, execution_service_pb2.StartPosition, "START_POSITION_"),
        (values.CursorExpiredPolicy, execution_service_pb2.CursorExpiredPolicy, "CURSOR_EXPIRED_POLICY_"),
        (values.SessionState, session_service_pb2.SessionState, "SESSION_STATE_"),
        (values.MessageDirection, session_service_pb2.MessageDirection, "MESSAGE_DIRECTION_"),
    ],
)
def test_every_published_value_has_its_short_name(
    ours: type[IntEnum], published: EnumTypeWrapper, prefix: str
) -> None:
    short = {name.removeprefix(prefix): number for name, number in published.items() if number}

    assert {member.name: member.value for member in ours} == short
