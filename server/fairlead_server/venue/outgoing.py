"""Orders, replaces, cancels and status requests as FIX messages, in FIX.4.2 and FIX.4.4.

The caller's digits go to the wire as they came. What a version cannot say is named by :func:`missing_capability`, so
that it is refused before anything is decided instead of being left out silently.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.terms import NewOrder, OrderCapacity, OrderType, Side, Terms, TimeInForce
from fairlead_server.fix import tags
from fairlead_server.fix.message import Fields
from fairlead_server.fix.values import write_decimal, write_utc_timestamp

FIX_42 = "FIX.4.2"
FIX_44 = "FIX.4.4"

SIDE = {Side.BUY: "1", Side.SELL: "2", Side.SELL_SHORT: "5", Side.SELL_SHORT_EXEMPT: "6"}
ORD_TYPE = {OrderType.MARKET: "1", OrderType.LIMIT: "2", OrderType.STOP: "3", OrderType.STOP_LIMIT: "4"}
TIME_IN_FORCE = {
    TimeInForce.DAY: "0",
    TimeInForce.GTC: "1",
    TimeInForce.OPG: "2",
    TimeInForce.IOC: "3",
    TimeInForce.FOK: "4",
    TimeInForce.GTD: "6",
    TimeInForce.CLS: "7",
}
_CAPACITY_42 = {OrderCapacity.AGENCY: "A", OrderCapacity.PRINCIPAL: "P"}  # Rule80A(47)
_CAPACITY_44 = {**_CAPACITY_42, OrderCapacity.RISKLESS_PRINCIPAL: "R"}  # OrderCapacity(528)
_NO_SYMBOL = "[N/A]"  # Symbol(55) is required where there is none (FIX 4.4 data dictionary, Symbol(55))
_AUTOMATED = "1"  # HandlInst(21): no broker intervention
_PARTICIPATE_DONT_INITIATE = "6"  # ExecInst(18)
_NONE = "NONE"  # where an id is required and there is none: an order that the venue has not from us


def missing_capability(new: NewOrder, begin_string: str) -> str | None:
    """What ``new`` asks for that this version has no word for."""
    if begin_string == FIX_42 and new.terms.time_in_force is TimeInForce.CLS:
        return "TIME_IN_FORCE_CLS"
    if begin_string == FIX_42 and new.capacity is OrderCapacity.RISKLESS_PRINCIPAL:
        return "ORDER_CAPACITY_RISKLESS_PRINCIPAL"
    return "SELF_MATCH_ID" if new.self_match_id else None


def new_order_single(order: Order, begin_string: str, now: datetime) -> Fields:
    new = order.request
    return [
        (tags.CL_ORD_ID, order.cl_ord_id),
        (tags.ACCOUNT, new.account_id),
        (tags.HANDL_INST, _AUTOMATED),
        *_decimal(tags.MIN_QTY, new.min_quantity),
        *([(tags.EXEC_INST, _PARTICIPATE_DONT_INITIATE)] if new.post_only else []),
        *_instrument(order),
        (tags.TRANSACT_TIME, write_utc_timestamp(now)),
        *_terms(order, order.terms),
        *_capacity(new, begin_string),
    ]


def order_cancel_replace_request(order: Order, request: Request, begin_string: str, now: datetime) -> Fields:
    """All terms are repeated, for the venue replaces the whole order (FIX 4.4 vol. 4)."""
    terms = request.terms or order.terms
    return [
        *_venue_order_id(order),
        (tags.ORIG_CL_ORD_ID, request.orig_cl_ord_id or _NONE),
        (tags.CL_ORD_ID, request.cl_ord_id),
        (tags.ACCOUNT, order.request.account_id),
        (tags.HANDL_INST, _AUTOMATED),
        *_decimal(tags.MIN_QTY, order.request.min_quantity),
        *([(tags.EXEC_INST, _PARTICIPATE_DONT_INITIATE)] if order.request.post_only else []),
        *_instrument(order),
        (tags.TRANSACT_TIME, write_utc_timestamp(now)),
        *_terms(order, terms),
        *_capacity(order.request, begin_string),
    ]


def order_cancel_request(order: Order, request: Request, now: datetime) -> Fields:
    return [
        *_venue_order_id(order),
        (tags.ORIG_CL_ORD_ID, request.orig_cl_ord_id or _NONE),
        (tags.CL_ORD_ID, request.cl_ord_id),
        (tags.ACCOUNT, order.request.account_id),
        *_instrument(order),
        (tags.TRANSACT_TIME, write_utc_timestamp(now)),
        (tags.ORDER_QTY, write_decimal(tags.ORDER_QTY, order.terms.quantity)),
    ]


def order_status_request(order: Order) -> Fields:
    return [
        *_venue_order_id(order),
        (tags.CL_ORD_ID, order.cl_ord_id or _NONE),
        (tags.ACCOUNT, order.request.account_id),
        *_instrument(order),
    ]


def _instrument(order: Order) -> Fields:
    symbol = order.symbol or _NO_SYMBOL  # an order that the venue told of without one
    return [(tags.SYMBOL, symbol), (tags.SIDE, SIDE[order.request.side])]


def _venue_order_id(order: Order) -> Fields:
    return [(tags.ORDER_ID, order.venue_order_id)] if order.venue_order_id else []


def _terms(order: Order, terms: Terms) -> Fields:
    fields = [
        (tags.ORDER_QTY, write_decimal(tags.ORDER_QTY, terms.quantity)),
        (tags.ORD_TYPE, ORD_TYPE[order.request.order_type]),
        *_decimal(tags.PRICE, terms.price),
        *_decimal(tags.STOP_PX, terms.stop_price),
        *_decimal(tags.MAX_FLOOR, terms.display_quantity),
        (tags.TIME_IN_FORCE, TIME_IN_FORCE[terms.time_in_force]),
    ]
    if terms.expire_time is not None:
        fields.append((tags.EXPIRE_TIME, write_utc_timestamp(terms.expire_time)))
    return fields


def _capacity(new: NewOrder, begin_string: str) -> Fields:
    if new.capacity is None:
        return []
    if begin_string == FIX_42:
        return [(tags.RULE80A, _CAPACITY_42[new.capacity])]
    return [(tags.ORDER_CAPACITY, _CAPACITY_44[new.capacity])]


def _decimal(tag: int, value: Decimal | None) -> Fields:
    return [] if value is None else [(tag, write_decimal(tag, value))]
