"""Turns Python values into requests, for both clients.

The keys that make a request repeatable are made here, that is, before the first attempt.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from fairlead.decimals import Number, to_text
from fairlead.errors import BadValue
from fairlead.v1 import (
    common_pb2,
    execution_service_pb2,
    order_service_pb2,
    reference_service_pb2,
    risk_service_pb2,
    session_service_pb2,
    trading_control_service_pb2,
)
from fairlead.v1.trading_control_service_pb2 import ApproveLiveRequest, RequestLiveRequest, RevokeLiveRequest
from fairlead.values import (
    AckLevel,
    Amendment,
    AnyOrder,
    Cancellation,
    ClientOrder,
    ExecutionPage,
    ExecutionQuery,
    Following,
    MassCancellation,
    MessageQuery,
    NewOrder,
    OrderQuery,
    PriceUpdate,
    Reconciliation,
    SequenceReset,
    StartPosition,
    TradingScope,
    TradingState,
)

AnyLive = TypeVar("AnyLive", RequestLiveRequest, ApproveLiveRequest, RevokeLiveRequest)


def new_key() -> str:
    """A key that nobody has used: fits `client_order_id` and `request_id`."""
    return str(uuid.uuid4())


def submit_order(order: NewOrder) -> order_service_pb2.SubmitOrderRequest:
    return order_service_pb2.SubmitOrderRequest(
        account_id=order["account_id"],
        client_order_id=order.get("client_order_id") or new_key(),
        instrument_id=order["instrument_id"],
        side=common_pb2.Side.ValueType(order["side"]),
        quantity=to_text(order["quantity"]),
        order_type=common_pb2.OrderType.ValueType(order["order_type"]),
        price=_text(order.get("price")),
        stop_price=_text(order.get("stop_price")),
        time_in_force=common_pb2.TimeInForce.ValueType(order.get("time_in_force") or 0),
        expire_time=_timestamp(order.get("expire_time")),
        display_quantity=_text(order.get("display_quantity")),
        min_quantity=_text(order.get("min_quantity")),
        post_only=order.get("post_only", False),
        strategy_id=order.get("strategy_id", ""),
        route_id=order.get("route_id", ""),
        route_before=_timestamp(order.get("route_before")),
        ack_level=common_pb2.AckLevel.ValueType(order.get("ack_level") or 0),
        tags=order.get("tags", {}),
        note=order.get("note", ""),
        capacity=common_pb2.OrderCapacity.ValueType(order.get("capacity") or 0),
        manual_indicator=common_pb2.ManualIndicator.ValueType(order.get("manual_indicator") or 0),
        self_match_id=order.get("self_match_id", ""),
    )


def update_prices(
    prices: Iterable[PriceUpdate], source: str, reason: str, *, force: bool
) -> reference_service_pb2.UpdateReferencePricesRequest:
    return reference_service_pb2.UpdateReferencePricesRequest(
        prices=[
            reference_service_pb2.PriceUpdate(
                instrument_id=each["instrument_id"],
                price=to_text(each["price"]),
                price_time=_timestamp(each.get("price_time")),
                bid=_text(each.get("bid")),
                ask=_text(each.get("ask")),
                last=_text(each.get("last")),
            )
            for each in prices
        ],
        source=source,
        reason=reason,
        force=force,
    )


def amend_order(order: AnyOrder, terms: Amendment) -> order_service_pb2.AmendOrderRequest:
    time_in_force = terms.get("time_in_force")
    return order_service_pb2.AmendOrderRequest(
        order=order_ref(order),
        request_id=terms.get("request_id") or new_key(),
        expected_version=terms.get("expected_version"),
        price=_text(terms.get("price")),
        quantity=_text(terms.get("quantity")),
        stop_price=_text(terms.get("stop_price")),
        display_quantity=_text(terms.get("display_quantity")),
        time_in_force=common_pb2.TimeInForce.ValueType(time_in_force) if time_in_force else None,
        expire_time=_timestamp(terms.get("expire_time")),
        ack_level=common_pb2.AckLevel.ValueType(terms.get("ack_level") or 0),
    )


def cancel_order(order: AnyOrder, how: Cancellation) -> order_service_pb2.CancelOrderRequest:
    return order_service_pb2.CancelOrderRequest(
        order=order_ref(order),
        request_id=how.get("request_id") or new_key(),
        expected_version=how.get("expected_version"),
        ack_level=common_pb2.AckLevel.ValueType(how.get("ack_level") or 0),
    )


def batch_submit_orders(
    orders: Iterable[NewOrder], *, stop_on_error: bool, require_all_risk_pass: bool
) -> order_service_pb2.BatchSubmitOrdersRequest:
    return order_service_pb2.BatchSubmitOrdersRequest(
        orders=map(submit_order, orders),
        stop_on_error=stop_on_error,
        require_all_risk_pass=require_all_risk_pass,
    )


def batch_amend_orders(
    amends: Iterable[tuple[AnyOrder, Amendment]], *, stop_on_error: bool
) -> order_service_pb2.BatchAmendOrdersRequest:
    return order_service_pb2.BatchAmendOrdersRequest(
        amends=[amend_order(order, terms) for order, terms in amends], stop_on_error=stop_on_error
    )


def batch_cancel_orders(
    orders: Iterable[AnyOrder], *, stop_on_error: bool, ack_level: AckLevel | None
) -> order_service_pb2.BatchCancelOrdersRequest:
    how = Cancellation(ack_level=ack_level)
    return order_service_pb2.BatchCancelOrdersRequest(
        cancels=[cancel_order(order, how) for order in orders], stop_on_error=stop_on_error
    )


def cancel_all_orders(which: MassCancellation) -> order_service_pb2.CancelAllOrdersRequest:
    account_id, all_accounts = which.get("account_id"), which.get("all_accounts") or None
    _at_most_one(account_id=account_id, all_accounts=all_accounts)
    if not (account_id or all_accounts):
        raise BadValue("give account_id or all_accounts=True")
    request = order_service_pb2.CancelAllOrdersRequest(
        request_id=which.get("request_id") or new_key(),
        instrument_ids=_names(which.get("instrument_ids", ())),
        strategy_ids=_names(which.get("strategy_ids", ())),
        session_ids=_names(which.get("session_ids", ())),
        side=common_pb2.Side.ValueType(which.get("side") or 0),
        validate_only=which.get("validate_only", False),
    )
    if account_id:
        request.account_id = account_id
    else:
        request.all_accounts = True
    return request


def trade_hello(
    session_key: str | None, grace: float | None, account_ids: Iterable[str], *, good_till_too: bool = False
) -> order_service_pb2.TradeHello:
    """`grace` is in seconds; None: orders outlive the session."""
    hello = order_service_pb2.TradeHello(session_key=session_key or new_key())
    if grace is not None:
        mortal = order_service_pb2.CancelOnDisconnect(
            grace=_duration(grace), account_ids=_names(account_ids), good_till_too=good_till_too
        )
        hello.cancel_on_disconnect.CopyFrom(mortal)
    elif _names(account_ids):
        raise BadValue("account_ids needs cancel_on_disconnect")
    return hello


def reconcile_order(order: AnyOrder, how: Reconciliation) -> order_service_pb2.ReconcileOrderRequest:
    return order_service_pb2.ReconcileOrderRequest(
        order=order_ref(order),
        request_id=how.get("request_id") or new_key(),
        expected_version=how.get("expected_version"),
        verdict=order_service_pb2.ReconcileVerdict.ValueType(how["verdict"]),
        reason=how["reason"],
        ticket=how["ticket"],
        force=how.get("force", False),
    )


def order_ref(order: AnyOrder) -> common_pb2.OrderRef:
    match order:
        case ClientOrder(account_id, client_order_id):
            names = common_pb2.ClientOrderRef(account_id=account_id, client_order_id=client_order_id)
            return common_pb2.OrderRef(client_order=names)
        case common_pb2.Order():
            return common_pb2.OrderRef(order_id=order.order_id)
        case str():
            return common_pb2.OrderRef(order_id=order)


def list_orders(query: OrderQuery, page_size: int) -> order_service_pb2.ListOrdersRequest:
    oldest_first = query.get("oldest_first", False)
    return order_service_pb2.ListOrdersRequest(
        filter=order_service_pb2.OrderFilter(
            account_ids=_names(query.get("account_ids", ())),
            instrument_ids=_names(query.get("instrument_ids", ())),
            states=[common_pb2.OrderState.ValueType(state) for state in query.get("states", ())],
            live_only=query.get("live_only", False),
            session_ids=_names(query.get("session_ids", ())),
            strategy_ids=_names(query.get("strategy_ids", ())),
            start_time=_timestamp(query.get("start_time")),
            end_time=_timestamp(query.get("end_time")),
        ),
        order_by=(
            order_service_pb2.ORDER_SORTING_CREATE_TIME_ASC
            if oldest_first
            else order_service_pb2.ORDER_SORTING_CREATE_TIME_DESC
        ),
        page_size=page_size,
    )


def list_executions(query: ExecutionPage, page_size: int) -> execution_service_pb2.ListExecutionsRequest:
    after_cursor, after_time = query.get("after_cursor"), query.get("after_time")
    _at_most_one(after_cursor=after_cursor, after_time=after_time)
    request = execution_service_pb2.ListExecutionsRequest(
        filter=_execution_filter(query),
        after_time=_timestamp(after_time),
        until_time=_timestamp(query.get("until_time")),
        page_size=page_size,
    )
    if after_cursor is not None:
        request.after_cursor = after_cursor
    return request


def subscribe(query: Following, heartbeat: float) -> execution_service_pb2.SubscribeExecutionsRequest:
    request = execution_service_pb2.SubscribeExecutionsRequest(
        filter=_execution_filter(query),
        heartbeat_interval=_duration(heartbeat),
        cursor_expired_policy=execution_service_pb2.CursorExpiredPolicy.ValueType(
            query.get("cursor_expired_policy") or 0
        ),
        max_batch_size=query.get("max_batch_size"),
    )
    _set_start(request, query)
    _set_end(request, query)
    return request


def watch_sessions(session_ids: Iterable[str], heartbeat: float) -> session_service_pb2.WatchSessionsRequest:
    return session_service_pb2.WatchSessionsRequest(
        session_ids=_names(session_ids), heartbeat_interval=_duration(heartbeat)
    )


def watch_risk_events(
    account_ids: Iterable[str], after: int | None, heartbeat: float
) -> risk_service_pb2.WatchRiskEventsRequest:
    return risk_service_pb2.WatchRiskEventsRequest(
        account_ids=account_ids, after_sequence=after, heartbeat_interval=_duration(heartbeat)
    )


def size_order(
    order: NewOrder, protective_stop: Number, risk_amount: Number
) -> risk_service_pb2.SizeOrderRequest:
    return risk_service_pb2.SizeOrderRequest(
        order=submit_order(order), stop_price=to_text(protective_stop), risk_amount=to_text(risk_amount)
    )


def reset_session(session_id: str, numbers: SequenceReset) -> session_service_pb2.ResetSessionSequenceRequest:
    return session_service_pb2.ResetSessionSequenceRequest(
        session_id=session_id,
        expected_next_in=numbers["expected_next_in"],
        expected_next_out=numbers["expected_next_out"],
        next_in=numbers.get("next_in", 1),
        next_out=numbers.get("next_out", 1),
        reason=numbers["reason"],
    )


def list_session_messages(
    session_id: str, query: MessageQuery, page_size: int
) -> session_service_pb2.ListSessionMessagesRequest:
    sorting = session_service_pb2.MESSAGE_SORTING_TIME_DESC
    if query.get("oldest_first", False):
        sorting = session_service_pb2.MESSAGE_SORTING_TIME_ASC
    return session_service_pb2.ListSessionMessagesRequest(
        session_id=session_id,
        direction=session_service_pb2.MessageDirection.ValueType(query.get("direction") or 0),
        msg_types=_names(query.get("msg_types", ())),
        start_time=_timestamp(query.get("start_time")),
        end_time=_timestamp(query.get("end_time")),
        min_msg_seq_num=query.get("min_msg_seq_num", 0),
        max_msg_seq_num=query.get("max_msg_seq_num", 0),
        epoch=query.get("epoch", 0),
        order=query.get("order", ""),
        order_by=sorting,
        page_size=page_size,
    )


def trading_scope(scope: TradingScope) -> trading_control_service_pb2.TradingScope:
    return trading_control_service_pb2.TradingScope(**scope)


def set_trading_state(
    scope: TradingScope, state: TradingState, reason: str, request_id: str | None
) -> trading_control_service_pb2.SetTradingStateRequest:
    return trading_control_service_pb2.SetTradingStateRequest(
        request_id=request_id or new_key(),
        scope=trading_scope(scope),
        state=trading_control_service_pb2.TradingState.ValueType(state),
        reason=reason,
    )


def activate_kill_switch(
    scope: TradingScope, reason: str, wait: float, request_id: str | None
) -> trading_control_service_pb2.ActivateKillSwitchRequest:
    """`wait` is in seconds."""
    return trading_control_service_pb2.ActivateKillSwitchRequest(
        request_id=request_id or new_key(), scope=trading_scope(scope), reason=reason, wait=_duration(wait)
    )


def flatten(
    scope: TradingScope, reason: str, wait: float, request_id: str | None, *, force: bool
) -> trading_control_service_pb2.FlattenRequest:
    """`wait` is in seconds."""
    return trading_control_service_pb2.FlattenRequest(
        request_id=request_id or new_key(),
        scope=trading_scope(scope),
        reason=reason,
        force=force,
        wait=_duration(wait),
    )


def arm_dead_man_switch(
    scope: TradingScope, silence: float, reason: str
) -> trading_control_service_pb2.ArmDeadManSwitchRequest:
    """`silence` is in seconds."""
    return trading_control_service_pb2.ArmDeadManSwitchRequest(
        scope=trading_scope(scope), timeout=_duration(silence), reason=reason
    )


def gate(request: AnyLive, account_id: str | None, session_id: str | None) -> AnyLive:
    _at_most_one(account_id=account_id, session_id=session_id)
    if account_id is not None:
        request.account_id = account_id
    if session_id is not None:
        request.session_id = session_id
    return request


def release_kill_switch(
    scope: TradingScope, reason: str, request_id: str | None
) -> trading_control_service_pb2.ReleaseKillSwitchRequest:
    return trading_control_service_pb2.ReleaseKillSwitchRequest(
        request_id=request_id or new_key(), scope=trading_scope(scope), reason=reason
    )


def request_status(
    order: AnyOrder | None, session_id: str | None, reason: str
) -> session_service_pb2.RequestOrderStatusRequest:
    _at_most_one(order=order, session_id=session_id)
    if session_id is not None:
        return session_service_pb2.RequestOrderStatusRequest(session_id=session_id, reason=reason)
    if order is None:
        raise BadValue("give one of order, session_id")
    return session_service_pb2.RequestOrderStatusRequest(order=order_ref(order), reason=reason)


def _set_start(request: execution_service_pb2.SubscribeExecutionsRequest, query: Following) -> None:
    after_cursor, after_time = query.get("after_cursor"), _timestamp(query.get("after_time"))
    position = query.get("position")
    _at_most_one(after_cursor=after_cursor, after_time=after_time, position=position)
    if after_cursor is not None:
        request.after_cursor = after_cursor
    elif after_time is not None:
        request.after_time.CopyFrom(after_time)
    else:
        request.position = execution_service_pb2.StartPosition.ValueType(position or StartPosition.LIVE_ONLY)


def _set_end(request: execution_service_pb2.SubscribeExecutionsRequest, query: Following) -> None:
    until_cursor, until_caught_up = query.get("until_cursor"), query.get("until_caught_up") or None
    _at_most_one(until_cursor=until_cursor, until_caught_up=until_caught_up)
    if until_cursor is not None:
        request.until_cursor = until_cursor
    elif until_caught_up:
        request.until_caught_up = True


def _execution_filter(query: ExecutionQuery) -> execution_service_pb2.ExecutionFilter:
    return execution_service_pb2.ExecutionFilter(
        account_ids=_names(query.get("account_ids", ())),
        instrument_ids=_names(query.get("instrument_ids", ())),
        strategy_ids=_names(query.get("strategy_ids", ())),
        session_ids=_names(query.get("session_ids", ())),
        kinds=[execution_service_pb2.ExecutionKind.ValueType(kind) for kind in query.get("kinds", ())],
    )


def _text(value: Number | None) -> str | None:
    return None if value is None else to_text(value)


def _timestamp(value: datetime | None) -> Timestamp | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise BadValue(f"{value.isoformat()} has no time zone")
    timestamp = Timestamp()
    timestamp.FromDatetime(value)
    return timestamp


def _names(values: Iterable[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def _at_most_one(**options: object) -> None:
    given = [name for name, value in options.items() if value is not None]
    if len(given) > 1:
        raise BadValue(f"give only one of {', '.join(given)}")


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration
