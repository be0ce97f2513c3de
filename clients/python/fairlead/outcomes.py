"""Turns what the business refused into an exception, for those who asked for that."""

from fairlead.errors import AmendRejected, CancelRejected, OrderRejected
from fairlead.v1 import common_pb2
from fairlead.v1.order_service_pb2 import (
    AMEND_OUTCOME_REJECTED,
    CANCEL_OUTCOME_REJECTED,
    AmendOrderResponse,
    CancelOrderResponse,
    SubmitOrderResponse,
)


def submitted(response: SubmitOrderResponse) -> SubmitOrderResponse:
    if response.order.state == common_pb2.ORDER_STATE_REJECTED:
        raise OrderRejected(response.order, response.order.reject)
    return response


def amended(response: AmendOrderResponse) -> AmendOrderResponse:
    if response.outcome == AMEND_OUTCOME_REJECTED:
        raise AmendRejected(response.order, response.reject)
    return response


def canceled(response: CancelOrderResponse) -> CancelOrderResponse:
    if response.outcome == CANCEL_OUTCOME_REJECTED:
        raise CancelRejected(response.order, response.reject)
    return response
