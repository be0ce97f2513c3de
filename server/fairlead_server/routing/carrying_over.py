"""What was traded before positions were kept by strategy, with what they have earned: folded once, at the first start.

To which day of its account such a trade belongs, and when it was made, its TransactTime(60) says. How many orders were
sent on those days is not known any more.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice

from msgspec.structs import replace

from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.order import Order
from fairlead_server.domain.position import (
    EXACT,
    FLAT,
    NOTHING,
    DayTotal,
    HoldingKey,
    Position,
    TotalKey,
    Trade,
    TradeKey,
    counted,
    of_trade,
)
from fairlead_server.domain.trading_day import TradingDay
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import OrderQuery, Store

_log = logging.getLogger(__name__)

DUE = "trades_due"  # counter: whether there is something to carry over
_PIECE = 1000  # rows
_ONE = Decimal(1)
_UTC_DAY = TradingDay()


def carry_over(store: Store, days: Mapping[str, TradingDay], instruments: Mapping[str, Instrument]) -> None:
    """Where it is due. One that was broken off is done again from the beginning, and comes to the same."""
    if not store.counters([DUE]).get(DUE):
        return
    _log.info("positions are folded from all that was ever traded, once")
    trades: dict[TradeKey, Trade] = {}
    positions: dict[HoldingKey, Position] = {}
    totals: dict[TotalKey, DayTotal] = {}
    for key, made in _trades(store, days, instruments).items():
        position = FLAT
        for trade in sorted(made, key=lambda each: each.place):
            opening = position if position.is_checkpoint else None
            trades[*key, trade.place] = replace(trade, opening=opening)
            after = position.after(trade)
            day = (trade.day, *key, trade.session_id)
            totals[day] = totals.get(day, NOTHING).plus(of_trade(trade, position, after))
            position = after
        positions[key] = position
    rest = iter(trades.items())
    while piece := dict(islice(rest, _PIECE)):
        store.commit(Batch(counters={DUE: 1}, trades=piece))
    store.commit(Batch(counters={DUE: 0}, positions=positions, day_totals=totals))
    _log.info("%d trades make %d positions", len(trades), len(positions))


def _trades(
    store: Store, days: Mapping[str, TradingDay], instruments: Mapping[str, Instrument]
) -> dict[HoldingKey, list[Trade]]:
    found: defaultdict[HoldingKey, list[Trade]] = defaultdict(list)
    for orders in _pages(store):
        sequences = store.sequences([order.order_id for order in orders])
        for order in orders:
            request = order.request
            instrument = instruments.get(request.instrument_id)
            multiplier = _ONE if instrument is None else instrument.multiplier
            calendar = days.get(request.account_id, _UTC_DAY)
            times = {
                sequences[e.execution_id]: e.transact_time
                for e in order.executions
                if e.execution_id in sequences
            }
            found[request.account_id, request.instrument_id, request.strategy_id] += [
                Trade(
                    place,
                    quantity,
                    EXACT.multiply(price, multiplier),
                    times[place],
                    calendar.of(times[place]),
                    order.session_id,
                )
                for place, (quantity, price) in counted(order, sequences).items()
            ]
    return {key: trades for key, trades in found.items() if trades}


def _pages(store: Store) -> Iterator[Sequence[Order]]:
    query = OrderQuery(limit=_PIECE)
    while page := store.list_orders(query):
        yield page
        query = replace(query, after=(page[-1].create_time, page[-1].order_id))
