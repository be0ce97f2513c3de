"""The controls that ask whether something is so. Those that need an instrument stay silent without one: its absence is a
breach already.
"""

from __future__ import annotations

from decimal import Context, Decimal

from fairlead_server.domain.order import ZERO
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.risk.control import Applies, Finding, Gate, ListGate
from fairlead_server.domain.risk.limits import WordBound
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.risk.states import STATES, reduces
from fairlead_server.domain.terms import Side

_MAR = "SEC 15c3-5"
_RTS6 = "RTS 6"

# By these limits a price is compared with the reference price: where they are set there has to be one.
PRICED_BY_REFERENCE = ("price_collar_percent", "fat_finger_bps")


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


def _overfilled(p: Proposal) -> Finding | None:
    """What only takes from a position passes: it may be what the overfill has left to do."""
    if not p.overfilled or reduces(p):
        return None
    return Finding(f"order {p.overfilled} was overfilled; nothing is opened until an operator has settled it")


def _market_closed(p: Proposal) -> Finding | None:
    calendar = p.instrument.calendar if p.instrument else None
    if calendar is None or calendar.is_open(p.now):
        return None
    local = p.now.astimezone(calendar.zone)
    return Finding(f"outside the trading hours of {calendar.calendar_id}", observed=f"{local:%a %H:%M:%S %Z}")


def _cut_off(p: Proposal) -> Finding | None:
    """What brings a scope to zero passes, as it may be due at that very moment."""
    if p.new.flattens is not None and reduces(p):
        return None
    calendar = p.instrument.calendar if p.instrument else None
    if calendar is None or not calendar.after_cut_off(p.now):
        return None
    local = p.now.astimezone(calendar.zone)
    return Finding(
        f"the day of {calendar.calendar_id} has ended for new orders", observed=f"{local:%a %H:%M:%S %Z}"
    )


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
        tick = p.instrument.tick_size if price is None else p.instrument.tick_at(price)
        if price is not None and (price <= 0 or not _is_multiple(price, tick)):
            return Finding(f"{name} is not a positive multiple of the tick size", tick, price)
    return None


def _missing_reference(p: Proposal) -> Finding | None:
    if p.instrument is None or p.instrument.reference is not None:
        return None
    if p.value_price is None:
        return Finding(f"no reference price values a {p.new.order_type.value} order")
    needed = next((name for name in PRICED_BY_REFERENCE if p.bounds.enforced(name)), None)
    if needed is None or p.terms.price is None:
        return None
    return Finding(f"no reference price for {needed} to compare the price with")


def _stale_reference(p: Proposal) -> Finding | None:
    reference = p.instrument.reference if p.instrument else None
    if reference is None:
        return None
    has_price = p.terms.price is not None or p.terms.stop_price is not None
    if has_price and not any(p.bounds.enforced(name) for name in PRICED_BY_REFERENCE):
        return None
    age = reference.age(p.now)
    most = p.instrument.max_reference_age if p.instrument else None
    if age <= (most := most or p.policy.max_reference_age):
        return None
    return Finding(f"the reference price of {reference.source} is too old", most, age)


def _limits_missing(p: Proposal) -> Finding | None:
    if p.account is None:
        return None
    missing = [name for name in p.policy.required if not p.bounds.enforced(name)]
    return Finding(f"required limits are not set: {', '.join(missing)}") if missing else None


_WIDE = Context(prec=50)  # a remainder of 18 places by 12 decimals overflows the usual 28 digits


def _is_multiple(value: Decimal, unit: Decimal) -> bool:
    return _WIDE.remainder(value, unit) == 0


# Lists.


def _blocked(p: Proposal, bound: WordBound) -> Finding | None:
    if p.new.instrument_id not in bound.words:
        return None
    return Finding(f"instrument {p.new.instrument_id} is blocked for account {p.new.account_id}")


def _restricted(p: Proposal, bound: WordBound) -> Finding | None:
    if p.new.instrument_id not in bound.words:
        return None
    return Finding(f"instrument {p.new.instrument_id} is on the restricted list {bound.limit_id}")


def _outside(asked: str, bound: WordBound, what: str) -> Finding | None:
    if asked in bound.words:
        return None
    return Finding(f"{what} {asked} is not allowed in {bound.scope}", ", ".join(sorted(bound.words)), asked)


def _not_listed(p: Proposal, bound: WordBound) -> Finding | None:
    return _outside(p.new.instrument_id, bound, "instrument")


def _side(p: Proposal, bound: WordBound) -> Finding | None:
    return _outside(p.new.side.value, bound, "side")


def _order_type(p: Proposal, bound: WordBound) -> Finding | None:
    return _outside(p.new.order_type.value, bound, "order type")


def _time_in_force(p: Proposal, bound: WordBound) -> Finding | None:
    return _outside(p.terms.time_in_force.value, bound, "time in force")


def _locate(p: Proposal, bound: WordBound) -> Finding | None:
    """A list of what may be sold short without asking."""
    if p.new.side is not Side.SELL_SHORT or p.new.instrument_id in bound.words:
        return None
    return unlocated(p)


def unlocated(p: Proposal) -> Finding | None:
    """What is said of a short sale; its locate is a tag of the order."""
    if p.new.tag("locate_id"):
        return None
    return Finding(f"a short sale of {p.new.instrument_id} needs a locate: the tag locate_id")


R, A = RejectReason, Applies
ENTRY: tuple[Gate | ListGate, ...] = (
    Gate(
        "account_known",
        R.RISK_LIMIT_MISSING,
        A.ALWAYS,
        "The account is configured.",
        f"{_MAR}(c)(1)",
        _account_unknown,
    ),
    Gate(
        "kill_switch",
        R.RISK_KILL_SWITCH,
        A.INCREASE,
        "No kill switch is on.",
        f"{_RTS6} Art. 12",
        _kill_switch,
        sudden=True,
    ),
    *STATES,
    Gate(
        "instrument_known",
        R.RISK_UNKNOWN_INSTRUMENT,
        A.ALWAYS,
        "The instrument is known.",
        f"{_MAR}(c)(1)(ii)",
        _unknown_instrument,
    ),
    Gate(
        "instrument_halted",
        R.RISK_INSTRUMENT_HALTED,
        A.INCREASE,
        "The instrument is not halted.",
        f"{_MAR}(c)(2)",
        _halted,
        sudden=True,
    ),
    ListGate(
        "symbol_block",
        R.RISK_SYMBOL_BLOCKED,
        A.INCREASE,
        "The instrument is on no block list.",
        f"{_MAR}(c)(2)(ii)",
        "blocked_instruments",
        "instrument",
        _blocked,
    ),
    ListGate(
        "restricted_list",
        R.RISK_RESTRICTED,
        A.INCREASE,
        "The instrument is on no restricted list.",
        f"{_MAR}(c)(2)(ii)",
        "restricted_instruments",
        "instrument",
        _restricted,
    ),
    ListGate(
        "symbol_allowed",
        R.RISK_SYMBOL_NOT_ALLOWED,
        A.INCREASE,
        "The instrument is on every allow list.",
        f"{_MAR}(c)(2)(ii)",
        "allowed_instruments",
        "instrument",
        _not_listed,
    ),
    Gate(
        "overfill",
        R.RISK_SYMBOL_BLOCKED,
        A.INCREASE,
        "No overfill waits to be settled, or the order only closes.",
        f"{_RTS6} Art. 16",
        _overfilled,
        sudden=True,
    ),
    Gate(
        "trading_hours",
        R.RISK_MARKET_CLOSED,
        A.INCREASE,
        "The instrument's market is open.",
        f"{_MAR}(c)(2)",
        _market_closed,
    ),
    Gate(
        "eod_cut_off",
        R.RISK_EOD_CUTOFF,
        A.INCREASE,
        "The day of the instrument's market has not ended for new orders.",
        f"{_MAR}(c)(2)",
        _cut_off,
    ),
    ListGate(
        "side",
        R.RISK_SIDE_NOT_ALLOWED,
        A.INCREASE,
        "The side is allowed.",
        f"{_MAR}(c)(2)",
        "allowed_sides",
        "side",
        _side,
    ),
    ListGate(
        "order_type",
        R.RISK_ORDER_TYPE_NOT_ALLOWED,
        A.INCREASE,
        "The order type is allowed.",
        f"{_MAR}(c)(2)",
        "allowed_order_types",
        "order type",
        _order_type,
    ),
    ListGate(
        "time_in_force",
        R.RISK_TIME_IN_FORCE_NOT_ALLOWED,
        A.INCREASE,
        "The time in force is allowed.",
        f"{_MAR}(c)(2)",
        "allowed_times_in_force",
        "time in force",
        _time_in_force,
    ),
    ListGate(
        "locate",
        R.RISK_LOCATE_REQUIRED,
        A.NEW,
        "A short sale of what is not on the list has a locate.",
        "Regulation SHO 203(b)",
        "shortable_instruments",
        "instrument",
        _locate,
    ),
    Gate(
        "price_required",
        R.RISK_PRICE_REQUIRED,
        A.ALWAYS,
        "The order type has its price.",
        "FIX 4.4 vol. 4",
        _price_required,
    ),
    Gate(
        "price_not_allowed",
        R.RISK_PRICE_NOT_ALLOWED,
        A.ALWAYS,
        "An order type without a price has none.",
        "FIX 4.4 vol. 4",
        _price_not_allowed,
    ),
    Gate(
        "stop_required",
        R.RISK_STOP_PRICE_REQUIRED,
        A.ALWAYS,
        "A stop has its price.",
        "FIX 4.4 vol. 4",
        _stop_price_required,
    ),
    Gate(
        "stop_not_allowed",
        R.RISK_STOP_PRICE_NOT_ALLOWED,
        A.ALWAYS,
        "What is no stop has no stop price.",
        "FIX 4.4 vol. 4",
        _stop_price_not_allowed,
    ),
    Gate(
        "quantity",
        R.RISK_INVALID_QUANTITY,
        A.ALWAYS,
        "The quantity is above zero.",
        f"{_MAR}(c)(1)(ii)",
        _quantity,
    ),
    Gate(
        "part_quantity",
        R.RISK_INVALID_QUANTITY,
        A.ALWAYS,
        "No part is larger than the whole.",
        "FIX 4.4 vol. 4",
        _parts,
    ),
    Gate(
        "min_quantity",
        R.RISK_QUANTITY_BELOW_MIN,
        A.ALWAYS,
        "The quantity is not below the instrument's smallest.",
        f"{_MAR}(c)(1)(ii)",
        _min_quantity,
    ),
    Gate(
        "lot_size",
        R.RISK_LOT_SIZE,
        A.ALWAYS,
        "The quantity is a multiple of the lot size.",
        f"{_MAR}(c)(1)(ii)",
        _lot_size,
    ),
    Gate(
        "tick_size",
        R.RISK_TICK_SIZE,
        A.ALWAYS,
        "Prices are multiples of the tick size.",
        f"{_MAR}(c)(1)(ii)",
        _tick_size,
    ),
    Gate(
        "reference",
        R.RISK_MISSING_REFERENCE_PRICE,
        A.INCREASE,
        "There is a reference price where one is needed.",
        "FIA 2024",
        _missing_reference,
    ),
    Gate(
        "reference_age",
        R.RISK_STALE_REFERENCE_PRICE,
        A.INCREASE,
        "The reference price that is needed is not too old.",
        "FIA 2024",
        _stale_reference,
    ),
    Gate(
        "limits_set",
        R.RISK_LIMIT_MISSING,
        A.INCREASE,
        "Every required limit is set and in force.",
        f"{_MAR}(c)(1)",
        _limits_missing,
    ),
)
