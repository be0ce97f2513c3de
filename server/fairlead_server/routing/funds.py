"""What accounts can pay for, out of positions, working orders and reference prices: see ``domain/buying_power``."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from fairlead_server.domain.buying_power import (
    BuyingPower,
    MarginModel,
    Shortfall,
    Stake,
    buying_power,
    lacking,
)
from fairlead_server.domain.exposure import NOTHING, Working
from fairlead_server.domain.order import ZERO
from fairlead_server.domain.position import EXACT
from fairlead_server.domain.scope import Scope
from fairlead_server.routing.book import Book
from fairlead_server.routing.reference import Reference


class Funds:
    """``margins`` are those of the accounts that have one; of the others nothing is known, and nothing is refused."""

    def __init__(self, book: Book, reference: Reference, margins: Mapping[str, MarginModel]) -> None:
        self._book = book
        self._reference = reference
        self._margins = margins

    def power(self, account_id: str) -> BuyingPower | None:
        """As it is now, uncommitted changes included."""
        model = self._margins.get(account_id)
        return None if model is None else self._power(account_id, model, {})

    def lacking(
        self,
        account_id: str,
        instrument_id: str,
        quantity: Decimal,
        price: Decimal | None,
        own: Working = NOTHING,
    ) -> Shortfall | None:
        """Why the account cannot pay for an order, which has not been entered; None where it can, or where it has no model.

        ``quantity`` is what would be open of it, signed; ``price`` is the dearest at which it may trade, None for whatever
        the market says. For an amend, ``own`` is what the order counts for already.
        """
        model = self._margins.get(account_id)
        if model is None:
            return None
        stake = self._stake(account_id, instrument_id, own)
        power = self._power(account_id, model, {instrument_id: stake})
        multiplier = self._multiplier(instrument_id)
        worth = None if price is None else EXACT.multiply(price, multiplier)
        return lacking(model, power, stake, quantity, worth)

    def _power(self, account_id: str, model: MarginModel, known: Mapping[str, Stake]) -> BuyingPower:
        names = set(self._book.exposures.instruments(Scope(account_id)))
        stakes = [known.get(name) or self._stake(account_id, name) for name in sorted(names)]
        return buying_power(model, self._earned(account_id, model.currency), stakes)

    def _earned(self, account_id: str, currency: str) -> Decimal:
        """Realised ever, and unrealised at the reference prices; what has none has earned nothing that is known."""
        total = ZERO
        for (_, instrument_id, _), position in self._book.holdings.of_account(account_id):
            instrument = self._reference.get(instrument_id)
            if instrument is None or instrument.currency != currency:
                continue
            total = EXACT.add(total, position.realised)
            if instrument.reference is not None:
                worth = EXACT.multiply(instrument.reference.price, instrument.multiplier)
                total = EXACT.add(total, position.unrealised(worth))
        return total

    def _stake(self, account_id: str, instrument_id: str, own: Working = NOTHING) -> Stake:
        exposure = self._book.exposures.of(account_id, instrument_id).without(own)
        counts = exposure.position, exposure.buying, exposure.selling
        instrument = self._reference.get(instrument_id)
        if instrument is None:
            return Stake(instrument_id, "", *counts)
        price = instrument.reference.price if instrument.reference is not None else None
        worth = None if price is None else EXACT.multiply(price, instrument.multiplier)
        return Stake(instrument_id, instrument.currency, *counts, worth, instrument.margin_rate)

    def _multiplier(self, instrument_id: str) -> Decimal:
        instrument = self._reference.get(instrument_id)
        return Decimal(1) if instrument is None else instrument.multiplier
