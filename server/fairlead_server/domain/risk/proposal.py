"""What is asked for, and everything that the controls may look at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from fairlead_server.domain.buying_power import MarginModel
from fairlead_server.domain.exposure import Exposure
from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.order import ZERO
from fairlead_server.domain.risk.limits import Bounds, LimitSet
from fairlead_server.domain.risk.standing import Standing
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import NewOrder, Terms
from fairlead_server.domain.trading_state import Halt


class AccountPolicy(Struct, frozen=True):
    account_id: str
    kill_switch: bool = False
    halt_on_overfill: bool = False
    margin: MarginModel | None = None  # what it pays with; None: nobody says
    live_gate: bool = False  # nothing new before two persons have opened it


# Without these an order is refused: each account has to have an opinion on its size, its worth and what may be open.
REQUIRED = ("max_order_quantity", "max_order_notional", "max_position", "max_open_orders")


class Policy(Struct, frozen=True):
    """The risk configuration as the file has it. ``version`` is the SHA-256 over all that was read."""

    accounts: Mapping[str, AccountPolicy]
    limits: tuple[LimitSet, ...] = ()
    required: tuple[str, ...] = REQUIRED
    kill_switch: bool = False
    max_reference_age: timedelta = timedelta(hours=24)
    version: str = ""
    halt_on_overfill: bool = False  # for all accounts

    def halts_on_overfill(self, account_id: str) -> bool:
        """Whether an overfill of the account keeps it from opening more in that instrument."""
        account = self.accounts.get(account_id)
        return self.halt_on_overfill or (account is not None and account.halt_on_overfill)


class Proposal(Struct, frozen=True):
    """For an amend ``new`` is the order as first submitted, ``terms`` are those wanted, ``filled`` is what counts as
    position already, and ``standing`` leaves the order's own working quantity out. ``overfilled`` is the order_id of one
    of the account in the instrument that was overfilled, which nobody has settled.
    """

    new: NewOrder
    terms: Terms
    scope: Scope
    instrument: Instrument | None
    policy: Policy
    account: AccountPolicy | None
    bounds: Bounds
    standing: Standing
    now: datetime
    filled: Decimal = ZERO
    overfilled: str = ""
    halt: Halt | None = None  # the strictest that holds it
    closed: Scope | None = None  # the live gate that is in its way
    amends: int = 0  # how often the order that is to be amended was amended before

    @property
    def open_quantity(self) -> Decimal:
        return max(self.terms.quantity - self.filled, ZERO)

    @property
    def count(self) -> int:
        """How many messages it is: none, where its quantity is zero and only what there is already is looked at."""
        return 1 if self.terms.quantity else 0

    @property
    def reference_price(self) -> Decimal | None:
        reference = self.instrument.reference if self.instrument else None
        return reference.price if reference else None

    @property
    def far_side(self) -> Decimal | None:
        """The best price of those that it could trade with; without that, the reference price."""
        reference = self.instrument.reference if self.instrument else None
        if reference is None:
            return None
        side = reference.ask if self.new.side.sign > 0 else reference.bid
        return side if side is not None else reference.price

    @property
    def value_price(self) -> Decimal | None:
        """The dearest price at which it may trade: only the limit of a purchase bounds that from above."""
        price = self.terms.price
        if self.new.side.sign > 0 and price is not None:
            return price
        known = (price, self.terms.stop_price, self.reference_price)
        return max((p for p in known if p is not None), default=None)

    def worth(self, quantity: Decimal) -> Decimal | None:
        """In the instrument's currency; None where no price is known."""
        price, instrument = self.value_price, self.instrument
        if price is None:
            return None
        return quantity * price if instrument is None else instrument.value(price, quantity)

    def worst(self, exposure: Exposure) -> Decimal:
        """How long the position would be, or short where it sells, with the order and all like it filled; never the other way."""
        if self.new.side.sign > 0:
            return exposure.position + exposure.buying + self.open_quantity
        return exposure.selling + self.open_quantity - exposure.position
