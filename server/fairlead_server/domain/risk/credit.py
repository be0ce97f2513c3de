"""The control that asks whether the account can pay for it, where its configuration says what it pays with."""

from __future__ import annotations

from decimal import Decimal

from fairlead_server.domain.buying_power import Lack, Shortfall
from fairlead_server.domain.position import EXACT
from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.risk.control import Applies, Finding, Gate
from fairlead_server.domain.risk.proposal import Proposal

_PLACES = Decimal(1).scaleb(-12)
_TEXTS = {
    Lack.CURRENCY: "its money is in another currency than the instrument",
    Lack.SHORT: "an account of cash sells only what it holds",
    Lack.PRICE: "no reference price says what is tied up",
    Lack.FUNDS: "more would be tied up than is free",
}


def _unpaid(p: Proposal) -> Finding | None:
    model = p.account.margin if p.account is not None else None
    if model is None or p.instrument is None:
        return None
    quantity = p.open_quantity if p.new.side.sign > 0 else p.open_quantity.copy_negate()
    shortfall = p.standing.lacking(model, p.new.account_id, p.new.instrument_id, quantity, p.terms.price)
    return None if shortfall is None else _finding(shortfall)


def _finding(shortfall: Shortfall) -> Finding:
    text = _TEXTS[shortfall.lack]
    if shortfall.lack in (Lack.CURRENCY, Lack.PRICE):
        return Finding(text)
    return Finding(text, _shown(shortfall.there), _shown(shortfall.needed))


def _shown(amount: Decimal) -> str:
    """Rounded half even to twelve decimals."""
    return f"{EXACT.quantize(amount, _PLACES):f}".rstrip("0").rstrip(".")


CREDIT: tuple[Gate, ...] = (
    Gate(
        "buying_power",
        RejectReason.RISK_CREDIT,
        Applies.INCREASE,
        "The account can pay for it: of cash in full and with what it holds, with margin in part.",
        "SEC 15c3-5(c)(1)(i)",
        _unpaid,
    ),
)
