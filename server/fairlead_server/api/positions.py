"""From positions and daily totals to the messages of ``fairlead.v1``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from fairlead.v1 import position_service_pb2 as pb

from fairlead_server.api.messages import canonical
from fairlead_server.api.times import timestamp
from fairlead_server.domain.order import ZERO
from fairlead_server.domain.position import EXACT, FLAT, DayTotal, HoldingKey, Position, TotalKey
from fairlead_server.routing.book import Book
from fairlead_server.routing.reference import Reference

_ONE = Decimal(1)
_PLACES = Decimal(1).scaleb(-12)  # as many decimals as the API has


class Positions:
    """What is durable of them, as it is shown."""

    def __init__(self, book: Book, reference: Reference) -> None:
        self._book = book
        self._reference = reference

    def wanted(self, criteria: pb.PositionFilter) -> list[HoldingKey]:
        """In their order, whether or not they are flat."""
        return sorted(key for key in self._book.holdings.durable if fits(criteria, key))

    def shown(self, key: HoldingKey, now: datetime) -> pb.Position:
        position = self._book.holdings.durable.get(key, FLAT)
        message = self._shown(key, [position], now)
        own = pb.Position(
            strategy_id=key[2],
            highest_pnl=_amount(position.highest),
            lowest_pnl=_amount(position.lowest),
            open_time=timestamp(position.open_time),
        )
        message.MergeFrom(own)
        return message

    def is_flat(self, key: HoldingKey) -> bool:
        return not self._book.holdings.durable.get(key, FLAT).quantity

    def sums(self, keys: Iterable[HoldingKey], now: datetime) -> Iterator[pb.Position]:
        """Over the strategies. ``keys`` are in their order."""
        durable = self._book.holdings.durable
        for (account_id, instrument_id), strategies in groupby(keys, key=lambda key: key[:2]):
            held = [durable.get(key, FLAT) for key in strategies]
            yield self._shown((account_id, instrument_id, ""), held, now)

    def currency(self, instrument_id: str) -> str:
        instrument = self._reference.get(instrument_id)
        return "" if instrument is None else instrument.currency

    def total(self, key: TotalKey, total: DayTotal) -> pb.DailyTotal:
        day, account_id, instrument_id, strategy_id, session_id = key
        return pb.DailyTotal(
            day=day.isoformat(),
            account_id=account_id,
            instrument_id=instrument_id,
            strategy_id=strategy_id,
            session_id=session_id,
            currency=self.currency(instrument_id),
            orders=total.orders,
            fills=total.fills,
            bought_quantity=_amount(total.bought_quantity),
            bought_value=_amount(total.bought_value),
            sold_quantity=_amount(total.sold_quantity),
            sold_value=_amount(total.sold_value),
            realised_pnl=_amount(total.realised),
        )

    def _shown(self, key: HoldingKey, held: list[Position], now: datetime) -> pb.Position:
        account_id, instrument_id, _ = key
        day = self._book.holdings.day_of(account_id, now)
        both = Position(_sum(each.quantity for each in held), _sum(each.cost for each in held))
        instrument = self._reference.get(instrument_id)
        price = instrument.reference if instrument is not None else None
        multiplier = _ONE if instrument is None else instrument.multiplier
        average = both.average(multiplier)
        return pb.Position(
            account_id=account_id,
            instrument_id=instrument_id,
            currency="" if instrument is None else instrument.currency,
            quantity=canonical(both.quantity),
            average_price=None if average is None else canonical(average),
            cost=_amount(both.cost),
            realised_pnl=_amount(_sum(each.realised for each in held)),
            unrealised_pnl=None
            if price is None
            else _amount(both.unrealised(EXACT.multiply(price.price, multiplier))),
            reference_price=None if price is None else canonical(price.price),
            reference_time=None if price is None else timestamp(price.time),
            bought_quantity=_amount(_sum(each.bought_quantity for each in held)),
            bought_value=_amount(_sum(each.bought_value for each in held)),
            sold_quantity=_amount(_sum(each.sold_quantity for each in held)),
            sold_value=_amount(_sum(each.sold_value for each in held)),
            day=day.isoformat(),
            day_realised_pnl=_amount(_sum(each.realised_on(day) for each in held)),
            update_time=timestamp(
                max((t for each in held if (t := each.update_time) is not None), default=None)
            ),
            trades=sum(each.trades for each in held),
        )


def fits(criteria: pb.PositionFilter, key: HoldingKey) -> bool:
    """Whether it is one of those, but for being flat."""
    wanted = criteria.account_ids, criteria.instrument_ids, criteria.strategy_ids
    return all(not names or name in names for names, name in zip(wanted, key, strict=True))


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _amount(value: Decimal) -> str:
    """Rounded half even to twelve decimals."""
    shown = canonical(EXACT.quantize(value, _PLACES))
    return "0" if shown == "-0" else shown
