"""Reference prices as they come in: from feeds, many at a time, and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from fairlead_server.domain.errors import InvalidRequest, PriceOutdated, RouterError, UnknownInstrument
from fairlead_server.domain.instrument import ReferencePrice
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Operator
from fairlead_server.routing.reference import Reference
from fairlead_server.store.batch import AuditRow

MANUAL: Final = "manual"  # the source of what a person sets; audited, with a reason
AHEAD: Final = timedelta(seconds=5)  # that a source's clock may be


class PriceUpdate(Struct, frozen=True):
    instrument_id: str
    price: ReferencePrice


class Prices:
    def __init__(self, reference: Reference, pipeline: Pipeline) -> None:
        self._reference = reference
        self._pipeline = pipeline

    def update(
        self,
        updates: Sequence[PriceUpdate | RouterError],
        by: Operator,
        now: datetime,
        *,
        force: bool,
    ) -> list[RouterError | None]:
        """One decision; each is taken or refused by itself. ``force`` takes one that is older than what is known.

        What is an error already is what comes of it.
        """
        with self._pipeline.deciding():
            return [
                update
                if isinstance(update, RouterError)
                else self._update(index, update, by, now, force=force)
                for index, update in enumerate(updates)
            ]

    def _update(
        self, index: int, update: PriceUpdate, by: Operator, now: datetime, *, force: bool
    ) -> RouterError | None:
        instrument_id, price = update.instrument_id, update.price
        instrument = self._reference.get(instrument_id)
        if instrument is None:
            return UnknownInstrument(instrument_id)
        if price.time > now + AHEAD:
            ahead = f"is {(price.time - now).total_seconds():g} s ahead of the server's clock"
            return InvalidRequest([(f"prices[{index}].price_time", ahead)])
        before = self._reference.set_price(instrument_id)
        if before is not None and price.time < before.time and not force:
            return PriceOutdated(instrument_id, price.time, before.time)
        self._reference.put_price(instrument_id, price)
        if price.source == MANUAL:
            known = instrument.reference
            row = AuditRow(
                now, by.principal, "price.set", instrument_id, by.reason, _shown(known), _shown(price)
            )
            self._pipeline.batch.audit.append(row)
        return None


def _shown(price: ReferencePrice | None) -> str:
    return "" if price is None else f"{price.price:f} of {price.time.isoformat()} by {price.source}"
