"""The operator's commands: each asks a running simulator and returns the lines to print."""

from collections.abc import Sequence

import grpc

from fix_sim.orders import OrdStatus, OrdType, Side, TimeInForce
from fix_sim.v1 import sim_control_pb2 as pb
from fix_sim.v1.sim_control_pb2_grpc import SimControlServiceStub

_TIMEOUT = 5.0
_COLUMNS = (
    "ORDER",
    "CL_ORD_ID",
    "SYMBOL",
    "SIDE",
    "TYPE",
    "TIF",
    "QTY",
    "PRICE",
    "FILLED",
    "AVG",
    "STATUS",
    "SESSION",
)


def orders(channel: grpc.Channel, *, open_only: bool, symbol: str, limit: int) -> list[str]:
    request = pb.ListOrdersRequest(open_only=open_only, symbol=symbol, limit=limit)
    listed = SimControlServiceStub(channel).ListOrders(request, timeout=_TIMEOUT).orders
    return _table([_COLUMNS, *map(_row, listed)])


def fill(
    channel: grpc.Channel, order: str, *, by_cl_ord_id: bool, qty: str | None, price: str | None
) -> list[str]:
    request = pb.FillOrderRequest(quantity=qty, price=price)
    if by_cl_ord_id:
        request.cl_ord_id = order
    else:
        request.order_id = order
    filled = SimControlServiceStub(channel).FillOrder(request, timeout=_TIMEOUT)
    return [f"execution {filled.exec_id}", *_table([_COLUMNS, _row(filled.order)])]


def price(channel: grpc.Channel, symbol: str, price: str) -> list[str]:
    request = pb.SetPriceRequest(symbol=symbol, price=price)
    made = SimControlServiceStub(channel).SetPrice(request, timeout=_TIMEOUT).price
    return [f"{made.symbol} {made.price}"]


def prices(channel: grpc.Channel) -> list[str]:
    listed = SimControlServiceStub(channel).ListPrices(pb.ListPricesRequest(), timeout=_TIMEOUT).prices
    return _table([(each.symbol, each.price) for each in listed])


def _row(order: pb.SimOrder) -> Sequence[str]:
    return (
        order.order_id,
        order.cl_ord_id,
        order.symbol,
        Side(order.side).name,
        OrdType(order.ord_type).name,
        TimeInForce(order.time_in_force).name,
        order.order_qty,
        order.price or order.stop_px,
        order.cum_qty,
        order.avg_px,
        OrdStatus(order.ord_status).name,
        order.session,
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
