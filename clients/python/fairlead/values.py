"""The enums of the API under short names, and the keyword arguments of its requests.

The numbers are the protobuf ones, so ``order.state == OrderState.FILLED`` holds for a message as it came.
A newer server may send numbers that are not here.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import NamedTuple, Required, TypeAlias, TypedDict

from fairlead.decimals import Number
from fairlead.v1 import (
    common_pb2,
    execution_service_pb2,
    order_service_pb2,
    reference_service_pb2,
    session_service_pb2,
    trading_control_service_pb2,
)


class Side(IntEnum):
    BUY = common_pb2.SIDE_BUY
    SELL = common_pb2.SIDE_SELL
    SELL_SHORT = common_pb2.SIDE_SELL_SHORT
    SELL_SHORT_EXEMPT = common_pb2.SIDE_SELL_SHORT_EXEMPT


class OrderType(IntEnum):
    MARKET = common_pb2.ORDER_TYPE_MARKET
    LIMIT = common_pb2.ORDER_TYPE_LIMIT
    STOP = common_pb2.ORDER_TYPE_STOP
    STOP_LIMIT = common_pb2.ORDER_TYPE_STOP_LIMIT


class TimeInForce(IntEnum):
    DAY = common_pb2.TIME_IN_FORCE_DAY
    GTC = common_pb2.TIME_IN_FORCE_GTC
    IOC = common_pb2.TIME_IN_FORCE_IOC
    FOK = common_pb2.TIME_IN_FORCE_FOK
    GTD = common_pb2.TIME_IN_FORCE_GTD
    OPG = common_pb2.TIME_IN_FORCE_OPG
    CLS = common_pb2.TIME_IN_FORCE_CLS


class AckLevel(IntEnum):
    ACCEPTED = common_pb2.ACK_LEVEL_ACCEPTED
    ROUTED = common_pb2.ACK_LEVEL_ROUTED
    VENUE = common_pb2.ACK_LEVEL_VENUE


class OrderCapacity(IntEnum):
    AGENCY = common_pb2.ORDER_CAPACITY_AGENCY
    PRINCIPAL = common_pb2.ORDER_CAPACITY_PRINCIPAL
    RISKLESS_PRINCIPAL = common_pb2.ORDER_CAPACITY_RISKLESS_PRINCIPAL


class ManualIndicator(IntEnum):
    MANUAL = common_pb2.MANUAL_INDICATOR_MANUAL
    AUTOMATED = common_pb2.MANUAL_INDICATOR_AUTOMATED


class OrderState(IntEnum):
    PENDING_NEW = common_pb2.ORDER_STATE_PENDING_NEW
    WORKING = common_pb2.ORDER_STATE_WORKING
    PARTIALLY_FILLED = common_pb2.ORDER_STATE_PARTIALLY_FILLED
    FILLED = common_pb2.ORDER_STATE_FILLED
    CANCELED = common_pb2.ORDER_STATE_CANCELED
    REJECTED = common_pb2.ORDER_STATE_REJECTED
    EXPIRED = common_pb2.ORDER_STATE_EXPIRED
    DONE_FOR_DAY = common_pb2.ORDER_STATE_DONE_FOR_DAY
    SUSPENDED = common_pb2.ORDER_STATE_SUSPENDED


class ExecutionKind(IntEnum):
    ACCEPTED = execution_service_pb2.EXECUTION_KIND_ACCEPTED
    RISK_REJECTED = execution_service_pb2.EXECUTION_KIND_RISK_REJECTED
    ROUTED = execution_service_pb2.EXECUTION_KIND_ROUTED
    VENUE_ACCEPTED = execution_service_pb2.EXECUTION_KIND_VENUE_ACCEPTED
    VENUE_REJECTED = execution_service_pb2.EXECUTION_KIND_VENUE_REJECTED
    FILLED = execution_service_pb2.EXECUTION_KIND_FILLED
    TRADE_BUSTED = execution_service_pb2.EXECUTION_KIND_TRADE_BUSTED
    TRADE_CORRECTED = execution_service_pb2.EXECUTION_KIND_TRADE_CORRECTED
    CANCEL_REQUESTED = execution_service_pb2.EXECUTION_KIND_CANCEL_REQUESTED
    CANCEL_PENDING = execution_service_pb2.EXECUTION_KIND_CANCEL_PENDING
    CANCELED = execution_service_pb2.EXECUTION_KIND_CANCELED
    CANCEL_REJECTED = execution_service_pb2.EXECUTION_KIND_CANCEL_REJECTED
    AMEND_REQUESTED = execution_service_pb2.EXECUTION_KIND_AMEND_REQUESTED
    AMEND_PENDING = execution_service_pb2.EXECUTION_KIND_AMEND_PENDING
    AMENDED = execution_service_pb2.EXECUTION_KIND_AMENDED
    AMEND_REJECTED = execution_service_pb2.EXECUTION_KIND_AMEND_REJECTED
    EXPIRED = execution_service_pb2.EXECUTION_KIND_EXPIRED
    DONE_FOR_DAY = execution_service_pb2.EXECUTION_KIND_DONE_FOR_DAY
    SUSPENDED = execution_service_pb2.EXECUTION_KIND_SUSPENDED
    RESTATED = execution_service_pb2.EXECUTION_KIND_RESTATED
    IN_DOUBT = execution_service_pb2.EXECUTION_KIND_IN_DOUBT
    RECONCILED = execution_service_pb2.EXECUTION_KIND_RECONCILED
    ORPHAN_EXECUTION = execution_service_pb2.EXECUTION_KIND_ORPHAN_EXECUTION
    VENUE_PENDING = execution_service_pb2.EXECUTION_KIND_VENUE_PENDING
    RECON_BREAK = execution_service_pb2.EXECUTION_KIND_RECON_BREAK
    EXEC_CONFLICT = execution_service_pb2.EXECUTION_KIND_EXEC_CONFLICT


FILLS = (ExecutionKind.FILLED, ExecutionKind.TRADE_BUSTED, ExecutionKind.TRADE_CORRECTED)


class ReconcileVerdict(IntEnum):
    STANDS = order_service_pb2.RECONCILE_VERDICT_STANDS
    CANCELED = order_service_pb2.RECONCILE_VERDICT_CANCELED
    REJECTED = order_service_pb2.RECONCILE_VERDICT_REJECTED
    EXPIRED = order_service_pb2.RECONCILE_VERDICT_EXPIRED
    DONE_FOR_DAY = order_service_pb2.RECONCILE_VERDICT_DONE_FOR_DAY


class StartPosition(IntEnum):
    SNAPSHOT_THEN_LIVE = execution_service_pb2.START_POSITION_SNAPSHOT_THEN_LIVE
    LIVE_ONLY = execution_service_pb2.START_POSITION_LIVE_ONLY
    EARLIEST = execution_service_pb2.START_POSITION_EARLIEST


class CursorExpiredPolicy(IntEnum):
    FAIL = execution_service_pb2.CURSOR_EXPIRED_POLICY_FAIL
    SNAPSHOT = execution_service_pb2.CURSOR_EXPIRED_POLICY_SNAPSHOT


class SessionState(IntEnum):
    DISABLED = session_service_pb2.SESSION_STATE_DISABLED
    OUT_OF_WINDOW = session_service_pb2.SESSION_STATE_OUT_OF_WINDOW
    BACKOFF = session_service_pb2.SESSION_STATE_BACKOFF
    CONNECTING = session_service_pb2.SESSION_STATE_CONNECTING
    LOGON_SENT = session_service_pb2.SESSION_STATE_LOGON_SENT
    SYNCING = session_service_pb2.SESSION_STATE_SYNCING
    ACTIVE = session_service_pb2.SESSION_STATE_ACTIVE
    LOGOUT_SENT = session_service_pb2.SESSION_STATE_LOGOUT_SENT
    HALTED = session_service_pb2.SESSION_STATE_HALTED


class MessageDirection(IntEnum):
    IN = session_service_pb2.MESSAGE_DIRECTION_IN
    OUT = session_service_pb2.MESSAGE_DIRECTION_OUT


class Shorting(IntEnum):
    ALLOWED = reference_service_pb2.SHORTING_ALLOWED
    LOCATE = reference_service_pb2.SHORTING_LOCATE
    FORBIDDEN = reference_service_pb2.SHORTING_FORBIDDEN


class ClientOrder(NamedTuple):
    """An order by the caller's identity of it."""

    account_id: str
    client_order_id: str


AnyOrder: TypeAlias = str | ClientOrder | common_pb2.Order
"""Names an order: its `order_id`, the caller's identity of it, or the order as it came from the server."""


class NewOrder(TypedDict, total=False):
    """An order to submit; the fields are those of ``SubmitOrderRequest``.

    Without a `client_order_id` one is made before the first attempt. Give one and keep it if the order
    must be the same after a restart of the caller.
    """

    account_id: Required[str]
    instrument_id: Required[str]
    side: Required[Side]
    quantity: Required[Number]
    order_type: Required[OrderType]
    client_order_id: str | None
    price: Number | None
    stop_price: Number | None
    time_in_force: TimeInForce | None
    expire_time: datetime | None
    display_quantity: Number | None
    min_quantity: Number | None
    post_only: bool
    strategy_id: str
    route_id: str
    route_before: datetime | None
    ack_level: AckLevel | None
    tags: Mapping[str, str]
    note: str
    capacity: OrderCapacity | None
    manual_indicator: ManualIndicator | None
    self_match_id: str


class Amendment(TypedDict, total=False):
    """New terms for an order; what is not given, or None, stays. `quantity` is the new total."""

    price: Number | None
    quantity: Number | None
    stop_price: Number | None
    display_quantity: Number | None
    time_in_force: TimeInForce | None
    expire_time: datetime | None
    expected_version: int | None
    request_id: str | None
    ack_level: AckLevel | None


class Cancellation(TypedDict, total=False):
    """How to cancel."""

    expected_version: int | None
    request_id: str | None
    ack_level: AckLevel | None


class MassCancellation(TypedDict, total=False):
    """Which live orders to cancel: those of `account_id`, or with `all_accounts` everybody's.

    `validate_only` only counts them.
    """

    account_id: str
    all_accounts: bool
    instrument_ids: Iterable[str]
    strategy_ids: Iterable[str]
    session_ids: Iterable[str]
    side: Side | None
    validate_only: bool
    request_id: str | None


class Reconciliation(TypedDict, total=False):
    """How an order in doubt stands, why, and where that is written down; `force` if it need not be in doubt."""

    verdict: Required[ReconcileVerdict]
    reason: Required[str]
    ticket: Required[str]
    force: bool
    expected_version: int | None
    request_id: str | None


class InstrumentTerms(TypedDict, total=False):
    """The terms of an instrument; the fields are those of ``Instrument``. None is the default, as if nothing were said.

    `tick_table` holds pairs: from which price on, which tick.
    """

    symbol: str
    currency: str
    tick_size: Number
    lot_size: Number
    min_quantity: Number | None
    halted: bool
    calendar_id: str | None
    kind: str | None
    multiplier: Number | None
    tick_table: Iterable[tuple[Number, Number]]
    shorting: Shorting
    short_sale_restricted: bool
    average_daily_volume: Number | None
    order_types: Iterable[OrderType]
    times_in_force: Iterable[TimeInForce]
    margin_rate: Number | None
    max_reference_age: timedelta | None


class PriceUpdate(TypedDict, total=False):
    """The price of one instrument; without a `price_time`, of now by the server's clock."""

    instrument_id: Required[str]
    price: Required[Number]
    price_time: datetime | None
    bid: Number | None
    ask: Number | None
    last: Number | None


class OrderQuery(TypedDict, total=False):
    """Which orders to list; what is not given does not matter. Newest first unless `oldest_first`."""

    account_ids: Iterable[str]
    instrument_ids: Iterable[str]
    states: Iterable[OrderState]
    live_only: bool
    session_ids: Iterable[str]
    strategy_ids: Iterable[str]
    start_time: datetime | None
    end_time: datetime | None
    oldest_first: bool


class ExecutionQuery(TypedDict, total=False):
    """Which events; what is not given does not matter."""

    account_ids: Iterable[str]
    instrument_ids: Iterable[str]
    strategy_ids: Iterable[str]
    session_ids: Iterable[str]
    kinds: Iterable[ExecutionKind]


class ExecutionPage(ExecutionQuery, total=False):
    """Which events to list, and from where: `after_cursor` or `after_time`, else the oldest that is kept."""

    after_cursor: str | None
    after_time: datetime | None
    until_time: datetime | None


class Following(ExecutionQuery, total=False):
    """Which events to follow, from where, and until when.

    Starts after `after_cursor` or `after_time`, else at `position` (LIVE_ONLY). Ends never, or after
    `until_cursor`, or when caught up.
    """

    after_cursor: str | None
    after_time: datetime | None
    position: StartPosition | None
    until_cursor: str | None
    until_caught_up: bool
    cursor_expired_policy: CursorExpiredPolicy | None
    max_batch_size: int | None


class SequenceReset(TypedDict, total=False):
    """The numbers that a reset replaces, as the caller has seen them, the new ones (1 each), and why."""

    expected_next_in: Required[int]
    expected_next_out: Required[int]
    next_in: int
    next_out: int
    reason: Required[str]


class TradingState(IntEnum):
    ACTIVE = trading_control_service_pb2.TRADING_STATE_ACTIVE
    REDUCE_ONLY = trading_control_service_pb2.TRADING_STATE_REDUCE_ONLY
    PAUSED = trading_control_service_pb2.TRADING_STATE_PAUSED
    KILLED = trading_control_service_pb2.TRADING_STATE_KILLED


class TradingScope(TypedDict, total=False):
    """What a state is about: the orders that agree with it in each name that is given, or `everything`."""

    everything: bool
    account_id: str
    strategy_id: str
    instrument_id: str
    session_id: str


class MessageQuery(TypedDict, total=False):
    """Which FIX messages to list; what is not given does not matter. Newest first unless `oldest_first`.

    `order` is a ClOrdID(11), an OrigClOrdID(41) or an OrderID(37).
    """

    direction: MessageDirection | None
    msg_types: Iterable[str]
    start_time: datetime | None
    end_time: datetime | None
    min_msg_seq_num: int
    max_msg_seq_num: int
    epoch: int
    order: str
    oldest_first: bool
