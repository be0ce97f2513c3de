"""What accounts can pay for, out of positions, working orders and reference prices: see ``domain/buying_power``."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from fairlead_server.domain.buying_power import MarginModel, Shortfall, Stake, buying_power, lacking
from fairlead_server.domain.exposure import Exposure
from fairlead_server.domain.order import ZERO
from fairlead_server.domain.position import EXACT
from fairlead_server.routing.book import Book
from fairlead_server.routing.reference import Reference


class Funds:
    def __init__(self, book: Book, reference: Reference) -> None:
        self._book = book
        self._reference = reference

    def lacking(
        self,
        model: MarginModel,
        account_id: str,
        instrument_id: str,
        quantity: Decimal,
        price: Decimal | None,
        exposures: Iterable[tuple[str, Exposure]],
    ) -> Shortfall | None:
        """Why the account cannot pay for an order; None where it can.

        ``quantity`` is what would be open of it, signed; ``price`` is the dearest at which it may trade, None for whatever
        the market says. ``exposures`` are those of the account in every instrument that it has any in, and in the order's
        own, without the order; of an amend without what that counts for already.
        """
        stakes = {name: self._stake(name, exposure) for name, exposure in exposures}
        power = buying_power(model, self._earned(account_id, model.currency), stakes.values())
        worth = None if price is None else EXACT.multiply(price, self._reference.multiplier(instrument_id))
        return lacking(model, power, stakes[instrument_id], quantity, worth)

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

    def _stake(self, instrument_id: str, exposure: Exposure) -> Stake:
        counts = exposure.position, exposure.buying, exposure.selling
        instrument = self._reference.get(instrument_id)
        if instrument is None:
            return Stake(instrument_id, "", *counts)
        price = instrument.reference.price if instrument.reference is not None else None
        worth = None if price is None else EXACT.multiply(price, instrument.multiplier)
        return Stake(instrument_id, instrument.currency, *counts, worth, instrument.margin_rate)
