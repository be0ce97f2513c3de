"""Orders, replaces, cancels, single or many, and status requests as FIX messages, in FIX.4.0 to FIX.5.0SP2.

The caller's digits go to the wire as they came. What a version cannot say is named by :func:`missing_capability`, so
that it is refused before anything is decided instead of being left out silently. What nobody asked for, such as
TransactTime(60), is said where the version has a field for it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from fairlead_server.domain.execution import ExecutionReport
from fairlead_server.domain.mass_scope import MassScope
from fairlead_server.domain.order import Order, Request
from fairlead_server.domain.terms import NewOrder, OrderCapacity, OrderType, Side, Terms, TimeInForce
from fairlead_server.domain.venue_rules import ReplaceQuantity, VenueRules
from fairlead_server.fix import msg_types, tags
from fairlead_server.fix.dialect import Dialect
from fairlead_server.fix.message import Fields
from fairlead_server.fix.values import write_decimal
from fairlead_server.routing.ports import Abilities

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
_CAPACITY = {
    OrderCapacity.AGENCY: "A",
    OrderCapacity.PRINCIPAL: "P",
    OrderCapacity.RISKLESS_PRINCIPAL: "R",
}
_NO_SYMBOL = "[N/A]"  # Symbol(55) is required where there is none (FIX 4.4 data dictionary, Symbol(55))
_AUTOMATED = "1"  # HandlInst(21): no broker intervention
_PARTICIPATE_DONT_INITIATE = "6"  # ExecInst(18)
_ALL_ORDERS = "7"  # MassStatusReqType(585)
_ALL, _OF_A_SECURITY = "7", "1"  # MassCancelRequestType(530)
_NO_MATCHING_ORDER = "D"  # DKReason(127)
_FULL = "F"  # CxlType(125): all that is left
_NONE = "NONE"  # where an id is required and there is none: an order that the venue has not from us


def missing_capability(new: NewOrder, dialect: Dialect) -> str | None:
    """What ``new`` asks for that this version has no word for."""
    if not _can_say_time(new.terms.time_in_force, dialect):
        return f"TIME_IN_FORCE_{new.terms.time_in_force.name}"
    if new.capacity is not None and not _can_say_capacity(new.capacity, dialect):
        return f"ORDER_CAPACITY_{new.capacity.name}"
    return "SELF_MATCH_ID" if new.self_match_id else None


def abilities(rules: VenueRules, dialect: Dialect) -> Abilities:
    """What the venue takes and this version has a word for."""
    times = rules.capabilities.times_in_force
    return Abilities(
        rules,
        frozenset(each for each in times if _can_say_time(each, dialect)),
        frozenset(each for each in OrderCapacity if _can_say_capacity(each, dialect)),
    )


def new_order_single(order: Order, dialect: Dialect, now: datetime) -> Fields:
    return [(tags.CL_ORD_ID, order.cl_ord_id), *_order(order, order.terms, dialect, now)]


def order_cancel_replace_request(
    order: Order,
    request: Request,
    dialect: Dialect,
    now: datetime,
    meaning: ReplaceQuantity = ReplaceQuantity.TOTAL,
) -> Fields:
    """All terms are repeated, for the venue replaces the whole order (FIX 4.4 vol. 4)."""
    terms = request.terms or order.terms
    if meaning is ReplaceQuantity.WORKING:
        terms = replace(terms, quantity=terms.quantity - order.cum_qty)
    return [
        *_venue_order_id(order),
        (tags.ORIG_CL_ORD_ID, request.orig_cl_ord_id or _NONE),
        (tags.CL_ORD_ID, request.cl_ord_id),
        *_order(order, terms, dialect, now),
    ]


def order_cancel_request(order: Order, request: Request, dialect: Dialect, now: datetime) -> Fields:
    kind = msg_types.ORDER_CANCEL_REQUEST
    return [
        *_venue_order_id(order),
        (tags.ORIG_CL_ORD_ID, request.orig_cl_ord_id or _NONE),
        (tags.CL_ORD_ID, request.cl_ord_id),
        *dialect.optional(kind, (tags.ACCOUNT, order.request.account_id)),
        *dialect.optional(kind, (tags.CXL_TYPE, _FULL)),
        *_instrument(order),
        *dialect.optional(kind, dialect.time(tags.TRANSACT_TIME, now)),
        (tags.ORDER_QTY, write_decimal(tags.ORDER_QTY, order.terms.quantity)),
    ]


def order_status_request(order: Order, dialect: Dialect) -> Fields:
    return [
        *_venue_order_id(order),
        (tags.CL_ORD_ID, order.cl_ord_id or _NONE),
        *dialect.optional(msg_types.ORDER_STATUS_REQUEST, (tags.ACCOUNT, order.request.account_id)),
        *_instrument(order),
    ]


def order_mass_status_request(request_id: str) -> Fields:
    return [(tags.MASS_STATUS_REQ_ID, request_id), (tags.MASS_STATUS_REQ_TYPE, _ALL_ORDERS)]


def order_mass_cancel_request(scope: MassScope, cl_ord_id: str, dialect: Dialect, now: datetime) -> Fields:
    return [
        (tags.CL_ORD_ID, cl_ord_id),
        (tags.MASS_CANCEL_REQUEST_TYPE, _OF_A_SECURITY if scope.symbol else _ALL),
        *([(tags.SYMBOL, scope.symbol)] if scope.symbol else []),
        *([(tags.SIDE, SIDE[scope.side])] if scope.side else []),
        dialect.time(tags.TRANSACT_TIME, now),
    ]


def dont_know_trade(order: Order, report: ExecutionReport) -> Fields:
    """That a fill is of an order which we have not sent. It takes as little as all versions have in common."""
    return [
        (tags.ORDER_ID, report.venue_order_id or order.venue_order_id or _NONE),
        (tags.EXEC_ID, report.exec_id),
        (tags.DK_REASON, _NO_MATCHING_ORDER),
        *_instrument(order),
        (tags.ORDER_QTY, write_decimal(tags.ORDER_QTY, order.terms.quantity)),
        *_decimal(tags.LAST_QTY, report.last_qty),
        *_decimal(tags.LAST_PX, report.last_px),
    ]


def _order(order: Order, terms: Terms, dialect: Dialect, now: datetime) -> Fields:
    """What a NewOrderSingle(D) and an OrderCancelReplaceRequest(G) have in common, in any version."""
    new = order.request
    return [
        (tags.ACCOUNT, new.account_id),
        (tags.HANDL_INST, _AUTOMATED),
        *_decimal(tags.MIN_QTY, new.min_quantity),
        *([(tags.EXEC_INST, _PARTICIPATE_DONT_INITIATE)] if new.post_only else []),
        *_instrument(order),
        *dialect.optional(msg_types.NEW_ORDER_SINGLE, dialect.time(tags.TRANSACT_TIME, now)),
        *_terms(order, terms, dialect),
        *_capacity(new, dialect),
    ]


def _instrument(order: Order) -> Fields:
    symbol = order.symbol or _NO_SYMBOL  # an order that the venue told of without one
    return [(tags.SYMBOL, symbol), (tags.SIDE, SIDE[order.request.side])]


def _venue_order_id(order: Order) -> Fields:
    return [(tags.ORDER_ID, order.venue_order_id)] if order.venue_order_id else []


def _terms(order: Order, terms: Terms, dialect: Dialect) -> Fields:
    fields = [
        (tags.ORDER_QTY, write_decimal(tags.ORDER_QTY, terms.quantity)),
        (tags.ORD_TYPE, ORD_TYPE[order.request.order_type]),
        *_decimal(tags.PRICE, terms.price),
        *_decimal(tags.STOP_PX, terms.stop_price),
        *_decimal(_display_tag(dialect), terms.display_quantity),
        (tags.TIME_IN_FORCE, TIME_IN_FORCE[terms.time_in_force]),
    ]
    if terms.expire_time is not None:
        fields.append(dialect.time(tags.EXPIRE_TIME, terms.expire_time))
    return fields


def _display_tag(dialect: Dialect) -> int:
    """MaxFloor(111) lives on in later versions, deprecated."""
    return tags.DISPLAY_QTY if dialect.has(msg_types.NEW_ORDER_SINGLE, tags.DISPLAY_QTY) else tags.MAX_FLOOR


def _capacity(new: NewOrder, dialect: Dialect) -> Fields:
    return [] if new.capacity is None else [(_capacity_tag(dialect), _CAPACITY[new.capacity])]


def _capacity_tag(dialect: Dialect) -> int:
    """Rule80A(47) has other values, and other meanings of the same ones; FIX.4.3 has both."""
    has_capacity = dialect.has(msg_types.NEW_ORDER_SINGLE, tags.ORDER_CAPACITY)
    return tags.ORDER_CAPACITY if has_capacity else tags.RULE80A


def _can_say_time(time_in_force: TimeInForce, dialect: Dialect) -> bool:
    return dialect.knows(tags.TIME_IN_FORCE, TIME_IN_FORCE[time_in_force])


def _can_say_capacity(capacity: OrderCapacity, dialect: Dialect) -> bool:
    tag = _capacity_tag(dialect)
    if tag == tags.RULE80A and capacity is OrderCapacity.RISKLESS_PRINCIPAL:
        return False  # R is a competing dealer there
    return dialect.knows(tag, _CAPACITY[capacity])


def _decimal(tag: int, value: Decimal | None) -> Fields:
    return [] if value is None else [(tag, write_decimal(tag, value))]
