"""What a client asks for: the vocabulary of an order and the request that carries it.

Names are those of FIX 4.4 vol. 4; how each is written on the wire is the translation's business.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import fields

from fairlead_server.domain.scope import Scope
from fairlead_server.domain.vocabulary import Word


class Side(Word):
    """Side(54)."""

    BUY = "BUY"
    SELL = "SELL"
    SELL_SHORT = "SELL_SHORT"
    SELL_SHORT_EXEMPT = "SELL_SHORT_EXEMPT"

    @property
    def sign(self) -> int:
        """+1 where a fill adds to the position, -1 where it takes away."""
        return 1 if self is Side.BUY else -1


class OrderType(Word):
    """OrdType(40)."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"

    @property
    def needs_price(self) -> bool:
        return self in (OrderType.LIMIT, OrderType.STOP_LIMIT)

    @property
    def needs_stop_price(self) -> bool:
        return self in (OrderType.STOP, OrderType.STOP_LIMIT)


class TimeInForce(Word):
    """TimeInForce(59)."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTD = "GTD"
    OPG = "OPG"
    CLS = "CLS"

    @property
    def multi_day(self) -> bool:
        """Whether done for the day is no end: the order works again the next one (FIX 4.4 vol. 4, GT orders)."""
        return self in (TimeInForce.GTC, TimeInForce.GTD)


class OrderCapacity(Word):
    """OrderCapacity(528); Rule80A(47) in FIX 4.2."""

    AGENCY = "AGENCY"
    PRINCIPAL = "PRINCIPAL"
    RISKLESS_PRINCIPAL = "RISKLESS_PRINCIPAL"


class ManualIndicator(Word):
    """ManualOrderIndicator(1028): whether a person or a program entered the order."""

    MANUAL = "MANUAL"
    AUTOMATED = "AUTOMATED"


class Terms(Struct, frozen=True):
    """The part of an order that an amend may change."""

    quantity: Decimal  # the total, as OrderQty(38): filled and open together
    price: Decimal | None = None
    stop_price: Decimal | None = None
    display_quantity: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    expire_time: datetime | None = None

    def only_reduce(self, current: Terms) -> bool:
        """Whether an amend to them takes quantity away and changes neither a price nor how long it lives, so that it can add no risk."""
        same_prices = (self.price, self.stop_price) == (current.price, current.stop_price)
        lives = (self.time_in_force, self.expire_time) == (current.time_in_force, current.expire_time)
        return same_prices and lives and self.quantity <= current.quantity


class NewOrder(Struct, frozen=True):
    """An order as its client described it. It never changes; see :class:`Terms` for what an amend does."""

    account_id: str
    client_order_id: str
    instrument_id: str
    side: Side
    order_type: OrderType
    terms: Terms
    min_quantity: Decimal | None = None
    post_only: bool = False
    strategy_id: str = ""
    route_id: str = ""  # empty: the router decides
    route_before: datetime | None = None
    capacity: OrderCapacity | None = None
    manual_indicator: ManualIndicator | None = None
    self_match_id: str = ""
    tags: tuple[tuple[str, str], ...] = ()  # names and values, each name once
    note: str = ""
    trade_session: str = ""  # the session at whose end it is cancelled; empty: at none's
    principal: str = ""  # who has submitted it
    flattens: Scope | None = None  # it is to bring that scope to zero, and passes what was said of it

    def tag(self, name: str) -> str | None:
        """None where it has no tag of that name."""
        return next((value for known, value in self.tags if known == name), None)

    def differing_fields(self, other: NewOrder) -> list[str]:
        """The economic fields in which two requests under one client_order_id disagree.

        Amounts compare as numbers, so ``1.0`` repeats ``1``. What a retry may compute anew (route_before) and
        what changes nothing about the trade (tags, note) does not count.
        """
        own = [name for name in _ECONOMIC if getattr(self, name) != getattr(other, name)]
        terms = [f.name for f in fields(Terms) if getattr(self.terms, f.name) != getattr(other.terms, f.name)]
        return own + terms


_ECONOMIC = tuple(
    f.name
    for f in fields(NewOrder)
    if f.name
    not in {
        "terms",
        "route_before",
        "tags",
        "note",
        "client_order_id",
        "trade_session",
        "principal",
        "flattens",
    }
)
