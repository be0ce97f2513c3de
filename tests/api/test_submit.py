"""SubmitOrder, as a client sees it."""

from __future__ import annotations

from fairlead.v1 import common_pb2

from tests.api.router import Router, new_order


async def test_an_order_is_routed_and_its_position_on_the_stream_told(router: Router) -> None:
    answer = await router.orders.SubmitOrder(new_order())

    assert answer.order.state == common_pb2.ORDER_STATE_PENDING_NEW
    assert answer.ack_level_reached == common_pb2.ACK_LEVEL_ROUTED
    assert not answer.duplicate
    await router.broker.until("D")
    assert router.broker.heard[0][11] == answer.order.venue.cl_ord_id
