"""Pre-trade risk: one table of small pure controls, all of them asked, every breach reported.

The order of the table is the order of the answer: its first breach is the reason that a client is given. A limit that
is required and missing refuses; there is no permissive default (SEC 15c3-5(c)(1), RTS 6 Art. 15). Cancels never come
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import TypeVar

from msgspec import Struct, field

from fairlead_server.domain.exposure import Exposure
from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.order import ZERO
from fairlead_server.domain.reject import Breach, RejectReason
from fairlead_server.domain.terms import NewOrder, Terms
from fairlead_server.domain.vocabulary import Word


class Limits(Struct, frozen=True):
    """None means that this scope sets no such limit. Values are in the instrument's currency."""

    max_order_quantity: Decimal | None = None
    max_order_notional: Decimal | None = None
    max_position: Decimal | None = None  # long or short, working orders counted as if filled
    max_open_orders: int | None = None

    def tightened_by(self, other: Limits) -> Limits:
        """The smaller of each: a narrower scope can only tighten."""
        return Limits(
            _least(self.max_order_quantity, other.max_order_quantity),
            _least(self.max_order_notional, other.max_order_notional),
            _least(self.max_position, other.max_position),
            _least(self.max_open_orders, other.max_open_orders),
        )


class AccountPolicy(Struct, frozen=True):
    account_id: str
    limits: Limits
    by_instrument: Mapping[str, Limits] = field(default_factory=dict)
    blocked_instruments: frozenset[str] = frozenset()
    kill_switch: bool = False
    duplicate_window: timedelta = timedelta()  # zero: repeats are allowed
    max_duplicates: int = 0  # how many like it may have been sent within the window
    halt_on_overfill: bool = False

    def limits_for(self, instrument_id: str) -> Limits:
        narrower = self.by_instrument.get(instrument_id)
        return self.limits.tightened_by(narrower) if narrower else self.limits


class Policy(Struct, frozen=True):
    """The whole risk configuration. ``version`` is the SHA-256 that each decision is stamped with."""

    accounts: Mapping[str, AccountPolicy]
    blocked_instruments: frozenset[str] = frozenset()
    kill_switch: bool = False
    max_reference_age: timedelta = timedelta(hours=24)
    version: str = ""
    halt_on_overfill: bool = False  # for all accounts

    def halts_on_overfill(self, account_id: str) -> bool:
        """Whether an overfill of the account keeps it from opening more in that instrument."""
        account = self.accounts.get(account_id)
        return self.halt_on_overfill or (account is not None and account.halt_on_overfill)


class Proposal(Struct, frozen=True):
    """What is asked for, and everything that the controls may look at.

    For an amend ``new`` is the order as first submitted, ``terms`` are those wanted, ``filled`` is what counts as
    position already, and ``exposure`` leaves the order's own working quantity out. ``overfilled`` is the order_id of one
    of the account in the instrument that was overfilled, which nobody has settled.
    """

    new: NewOrder
    terms: Terms
    instrument: Instrument | None
    policy: Policy
    account: AccountPolicy | None
    exposure: Exposure
    open_orders: int
    repeats: int
    now: datetime
    filled: Decimal = ZERO
    overfilled: str = ""

    @property
    def limits(self) -> Limits:
        return self.account.limits_for(self.new.instrument_id) if self.account else Limits()

    @property
    def open_quantity(self) -> Decimal:
        return max(self.terms.quantity - self.filled, ZERO)

    @property
    def value_price(self) -> Decimal | None:
        """The dearest price at which it may trade: only the limit of a purchase bounds that from above."""
        price, reference = self.terms.price, self.instrument.reference if self.instrument else None
        if self.new.side.sign > 0 and price is not None:
            return price
        known = (price, self.terms.stop_price, reference.price if reference else None)
        return max((p for p in known if p is not None), default=None)


class Applies(Word):
    ALWAYS = "ALWAYS"  # to every order and every amend
    INCREASE = "INCREASE"  # not to an amend that only takes quantity away
    NEW = "NEW"  # to new orders only


class Control(Struct, frozen=True):
    rule_id: str
    reason: RejectReason
    applies: Applies
    test: Callable[[Proposal], Finding | None]


class Finding(Struct, frozen=True):
    text: str
    limit: object = ""
    observed: object = ""


def check(proposal: Proposal, *applies: Applies) -> tuple[Breach, ...]:
    """Every control that ``proposal`` breaks, in the order of the table; empty when it may pass."""
    found = ((c, c.test(proposal)) for c in CONTROLS if c.applies in applies)
    return tuple(
        Breach(c.rule_id, c.reason, finding.text, _shown(finding.limit), _shown(finding.observed))
        for c, finding in found
        if finding is not None
    )


def check_new(proposal: Proposal) -> tuple[Breach, ...]:
    return check(proposal, Applies.ALWAYS, Applies.INCREASE, Applies.NEW)


def check_amend(proposal: Proposal, current: Terms) -> tuple[Breach, ...]:
    """An amend that only takes quantity away is spared the controls of exposure; any other faces them."""
    if proposal.terms.only_reduce(current):
        return check(proposal, Applies.ALWAYS)
    return check(proposal, Applies.ALWAYS, Applies.INCREASE)


# The controls, cheap to dear. Those that need an instrument stay silent without one: its absence is a breach already.


def _account_unknown(p: Proposal) -> Finding | None:
    return Finding(f"account {p.new.account_id} has no limits") if p.account is None else None


def _kill_switch(p: Proposal) -> Finding | None:
    if p.policy.kill_switch:
        return Finding("the kill switch is on for all accounts")
    if p.account is not None and p.account.kill_switch:
        return Finding(f"the kill switch is on for account {p.new.account_id}")
    return None


def _unknown_instrument(p: Proposal) -> Finding | None:
    return Finding(f"instrument {p.new.instrument_id} is not known") if p.instrument is None else None


def _halted(p: Proposal) -> Finding | None:
    if p.instrument is None or not p.instrument.halted:
        return None
    return Finding(f"instrument {p.new.instrument_id} is halted")


def _blocked(p: Proposal) -> Finding | None:
    own = p.account.blocked_instruments if p.account else frozenset[str]()
    if p.new.instrument_id not in p.policy.blocked_instruments | own:
        return None
    return Finding(f"instrument {p.new.instrument_id} is blocked for account {p.new.account_id}")


def _overfilled(p: Proposal) -> Finding | None:
    """What only takes from a position passes: it may be what the overfill has left to do."""
    if not p.overfilled or _closes(p):
        return None
    return Finding(f"order {p.overfilled} was overfilled; nothing is opened until an operator has settled it")


def _closes(p: Proposal) -> bool:
    exposure = p.exposure
    if p.new.side.sign > 0:
        return exposure.position + exposure.buying + p.open_quantity <= 0
    return exposure.position - exposure.selling - p.open_quantity >= 0


def _market_closed(p: Proposal) -> Finding | None:
    calendar = p.instrument.calendar if p.instrument else None
    if calendar is None or calendar.is_open(p.now):
        return None
    local = p.now.astimezone(calendar.zone)
    return Finding(f"outside the trading hours of {calendar.calendar_id}", observed=f"{local:%a %H:%M:%S %Z}")


def _price_required(p: Proposal) -> Finding | None:
    missing = p.new.order_type.needs_price and p.terms.price is None
    return Finding(f"a {p.new.order_type.value} order needs a price") if missing else None


def _price_not_allowed(p: Proposal) -> Finding | None:
    extra = not p.new.order_type.needs_price and p.terms.price is not None
    return Finding(f"a {p.new.order_type.value} order takes no price") if extra else None


def _stop_price_required(p: Proposal) -> Finding | None:
    missing = p.new.order_type.needs_stop_price and p.terms.stop_price is None
    return Finding(f"a {p.new.order_type.value} order needs a stop price") if missing else None


def _stop_price_not_allowed(p: Proposal) -> Finding | None:
    extra = not p.new.order_type.needs_stop_price and p.terms.stop_price is not None
    return Finding(f"a {p.new.order_type.value} order takes no stop price") if extra else None


def _quantity(p: Proposal) -> Finding | None:
    return Finding("quantity must be above zero", ZERO, p.terms.quantity) if p.terms.quantity <= 0 else None


def _parts(p: Proposal) -> Finding | None:
    least = None if p.filled else p.new.min_quantity  # once something is filled, the minimum has been met
    for name, part in (("display", p.terms.display_quantity), ("minimum", least)):
        if part is not None and part > p.terms.quantity:
            return Finding(f"the {name} quantity is above the quantity", p.terms.quantity, part)
    return None


def _min_quantity(p: Proposal) -> Finding | None:
    if p.instrument is None or p.terms.quantity >= p.instrument.min_quantity:
        return None
    return Finding("quantity is below the minimum", p.instrument.min_quantity, p.terms.quantity)


def _lot_size(p: Proposal) -> Finding | None:
    if p.instrument is None or _is_multiple(p.terms.quantity, p.instrument.lot_size):
        return None
    return Finding("quantity is not a multiple of the lot size", p.instrument.lot_size, p.terms.quantity)


def _tick_size(p: Proposal) -> Finding | None:
    if p.instrument is None:
        return None
    for name, price in (("price", p.terms.price), ("stop price", p.terms.stop_price)):
        if price is not None and (price <= 0 or not _is_multiple(price, p.instrument.tick_size)):
            return Finding(
                f"{name} is not a positive multiple of the tick size", p.instrument.tick_size, price
            )
    return None


def _missing_reference(p: Proposal) -> Finding | None:
    if p.instrument is None or p.value_price is not None:
        return None
    return Finding(f"no reference price values a {p.new.order_type.value} order")


def _stale_reference(p: Proposal) -> Finding | None:
    reference = p.instrument.reference if p.instrument else None
    if reference is None or p.terms.price is not None or p.terms.stop_price is not None:
        return None
    age = reference.age(p.now)
    if age <= p.policy.max_reference_age:
        return None
    return Finding(f"the reference price of {reference.source} is too old", p.policy.max_reference_age, age)


def _limits_missing(p: Proposal) -> Finding | None:
    if p.account is None:
        return None
    limits = p.limits
    missing = [name for name in Limits.__struct_fields__ if getattr(limits, name) is None]
    return Finding(f"required limits are not set: {', '.join(missing)}") if missing else None


def _max_quantity(p: Proposal) -> Finding | None:
    limit = p.limits.max_order_quantity
    if limit is None or p.terms.quantity <= limit:
        return None
    return Finding("order quantity is above the limit", limit, p.terms.quantity)


def _max_notional(p: Proposal) -> Finding | None:
    limit, price = p.limits.max_order_notional, p.value_price
    if limit is None or price is None or (value := p.terms.quantity * price) <= limit:
        return None
    return Finding("order value is above the limit", limit, value)


def _open_orders(p: Proposal) -> Finding | None:
    limit = p.limits.max_open_orders
    if limit is None or p.open_orders < limit:
        return None
    return Finding("too many open orders", limit, p.open_orders + 1)


def _position(p: Proposal) -> Finding | None:
    limit, exposure = p.limits.max_position, p.exposure
    if limit is None:
        return None
    if p.new.side.sign > 0:
        worst = exposure.position + exposure.buying + p.open_quantity
    else:
        worst = -(exposure.position - exposure.selling - p.open_quantity)
    if worst <= limit:
        return None
    return Finding("position with all working orders filled is above the limit", limit, worst)


def _duplicate(p: Proposal) -> Finding | None:
    if p.account is None or not p.account.duplicate_window or p.repeats <= p.account.max_duplicates:
        return None
    window = p.account.duplicate_window.total_seconds()
    return Finding(f"the same order was sent within {window:g} s", p.account.max_duplicates, p.repeats)


CONTROLS: tuple[Control, ...] = (
    Control("account_known", RejectReason.RISK_LIMIT_MISSING, Applies.ALWAYS, _account_unknown),
    Control("kill_switch", RejectReason.RISK_KILL_SWITCH, Applies.INCREASE, _kill_switch),
    Control("instrument_known", RejectReason.RISK_UNKNOWN_INSTRUMENT, Applies.ALWAYS, _unknown_instrument),
    Control("instrument_halted", RejectReason.RISK_INSTRUMENT_HALTED, Applies.INCREASE, _halted),
    Control("symbol_block", RejectReason.RISK_SYMBOL_BLOCKED, Applies.INCREASE, _blocked),
    Control("overfill", RejectReason.RISK_SYMBOL_BLOCKED, Applies.INCREASE, _overfilled),
    Control("trading_hours", RejectReason.RISK_MARKET_CLOSED, Applies.INCREASE, _market_closed),
    Control("price_required", RejectReason.RISK_PRICE_REQUIRED, Applies.ALWAYS, _price_required),
    Control("price_not_allowed", RejectReason.RISK_PRICE_NOT_ALLOWED, Applies.ALWAYS, _price_not_allowed),
    Control("stop_required", RejectReason.RISK_STOP_PRICE_REQUIRED, Applies.ALWAYS, _stop_price_required),
    Control(
        "stop_not_allowed", RejectReason.RISK_STOP_PRICE_NOT_ALLOWED, Applies.ALWAYS, _stop_price_not_allowed
    ),
    Control("quantity", RejectReason.RISK_INVALID_QUANTITY, Applies.ALWAYS, _quantity),
    Control("part_quantity", RejectReason.RISK_INVALID_QUANTITY, Applies.ALWAYS, _parts),
    Control("min_quantity", RejectReason.RISK_QUANTITY_BELOW_MIN, Applies.ALWAYS, _min_quantity),
    Control("lot_size", RejectReason.RISK_LOT_SIZE, Applies.ALWAYS, _lot_size),
    Control("tick_size", RejectReason.RISK_TICK_SIZE, Applies.ALWAYS, _tick_size),
    Control("reference", RejectReason.RISK_MISSING_REFERENCE_PRICE, Applies.INCREASE, _missing_reference),
    Control("reference_age", RejectReason.RISK_STALE_REFERENCE_PRICE, Applies.INCREASE, _stale_reference),
    Control("limits_set", RejectReason.RISK_LIMIT_MISSING, Applies.INCREASE, _limits_missing),
    Control("max_quantity", RejectReason.RISK_MAX_QUANTITY, Applies.INCREASE, _max_quantity),
    Control("max_notional", RejectReason.RISK_MAX_NOTIONAL, Applies.INCREASE, _max_notional),
    Control("open_orders", RejectReason.RISK_OPEN_ORDER_COUNT, Applies.NEW, _open_orders),
    Control("position", RejectReason.RISK_POSITION_LIMIT, Applies.INCREASE, _position),
    Control("duplicate", RejectReason.RISK_DUPLICATE_ORDER, Applies.NEW, _duplicate),
)


_WIDE = Context(prec=50)  # a remainder of 18 places by 12 decimals overflows the usual 28 digits
_Number = TypeVar("_Number", int, Decimal)


def _least(a: _Number | None, b: _Number | None) -> _Number | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


def _is_multiple(value: Decimal, unit: Decimal) -> bool:
    return _WIDE.remainder(value, unit) == 0


def _shown(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
