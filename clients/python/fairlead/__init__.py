"""The Fairlead order router's client.

    with fairlead.Client() as client:
        response = client.submit_order(
            account_id="demo", instrument_id="AAPL", side=Side.BUY, quantity=100,
            order_type=OrderType.LIMIT, price="230.10",
        )

Answers are the protobuf messages of ``fairlead.v1``; what can go wrong is in ``fairlead.errors``.
"""

from fairlead.async_client import AsyncClient
from fairlead.client import Client
from fairlead.decimals import to_decimal, to_text
from fairlead.errors import CallFailed, FairleadError, OrderRejected, OutcomeUnknown, Refused
from fairlead.positions import AsyncPositionWatch, PositionGone, PositionWatch
from fairlead.requests import new_key
from fairlead.retry import Retry
from fairlead.subscription import AsyncSubscription, Subscription
from fairlead.trading import AsyncTradeSession
from fairlead.values import (
    FILLS,
    AckLevel,
    ClientOrder,
    CursorExpiredPolicy,
    ExecutionKind,
    ManualIndicator,
    MessageDirection,
    NewOrder,
    OrderCapacity,
    OrderState,
    OrderType,
    ReconcileVerdict,
    SessionState,
    Shorting,
    Side,
    StartPosition,
    TimeInForce,
    TradingScope,
    TradingState,
)
from fairlead.watching import AsyncSessionWatch, SessionRemoved, SessionWatch

__all__ = [
    "FILLS",
    "AckLevel",
    "AsyncClient",
    "AsyncPositionWatch",
    "AsyncSessionWatch",
    "AsyncSubscription",
    "AsyncTradeSession",
    "CallFailed",
    "Client",
    "ClientOrder",
    "CursorExpiredPolicy",
    "ExecutionKind",
    "FairleadError",
    "ManualIndicator",
    "MessageDirection",
    "NewOrder",
    "OrderCapacity",
    "OrderRejected",
    "OrderState",
    "OrderType",
    "OutcomeUnknown",
    "PositionGone",
    "PositionWatch",
    "ReconcileVerdict",
    "Refused",
    "Retry",
    "SessionRemoved",
    "SessionState",
    "SessionWatch",
    "Shorting",
    "Side",
    "StartPosition",
    "Subscription",
    "TimeInForce",
    "TradingScope",
    "TradingState",
    "new_key",
    "to_decimal",
    "to_text",
]
