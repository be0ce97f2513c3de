"""What can be traded: the rules of an instrument, its reference price and its trading hours."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from fairlead_server.domain.calendar import Calendar
from fairlead_server.domain.terms import OrderType, TimeInForce
from fairlead_server.domain.vocabulary import Word


class ReferencePrice(Struct, frozen=True):
    """The price that values an order which has none of its own, and where it comes from."""

    price: Decimal
    time: datetime
    source: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    last: Decimal | None = None

    def age(self, now: datetime) -> timedelta:
        return now - self.time


class Shorting(Word):
    """Whether what is not held may be sold."""

    ALLOWED = "ALLOWED"
    LOCATE = "LOCATE"  # only what somebody has been found to lend
    FORBIDDEN = "FORBIDDEN"


class TickBand(Struct, frozen=True):
    """From this price on, up to the next band, prices are multiples of ``tick_size``."""

    begin: Decimal
    tick_size: Decimal


class Instrument(Struct, frozen=True):
    """Amounts are in ``currency``; ``symbol`` is the venue's Symbol(55)."""

    instrument_id: str
    symbol: str
    currency: str
    tick_size: Decimal
    lot_size: Decimal
    min_quantity: Decimal
    halted: bool = False
    reference: ReferencePrice | None = None
    calendar: Calendar | None = None  # None: open at all times
    kind: str = ""  # the class of asset that it is of, such as "equity"
    multiplier: Decimal = Decimal(1)  # of a contract: what one of it is worth at a price of 1
    tick_table: tuple[TickBand, ...] = ()  # ascending; below the first band ``tick_size`` holds
    shorting: Shorting = Shorting.ALLOWED
    short_sale_restricted: bool = False  # the price test of SEC Rule 201 is in force
    average_daily_volume: Decimal | None = None
    order_types: frozenset[OrderType] = frozenset()  # empty: all
    times_in_force: frozenset[TimeInForce] = frozenset()  # empty: all
    margin_rate: Decimal | None = None  # of the value, 0.05 is five per cent
    max_reference_age: timedelta | None = None  # None: as the policy has it

    def tick_at(self, price: Decimal) -> Decimal:
        """What a price there must be a multiple of."""
        tick = self.tick_size
        for band in self.tick_table:
            if price < band.begin:
                break
            tick = band.tick_size
        return tick

    def value(self, price: Decimal, quantity: Decimal) -> Decimal:
        """In ``currency``."""
        return price * quantity * self.multiplier
