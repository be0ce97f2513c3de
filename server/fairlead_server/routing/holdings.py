"""Positions and daily totals in memory: folded from executions as they are decided, shown as they are committed.

A fill is folded onto its position, and costs the same whatever there was before. A bust or a correction is rare: the trades
of its position from the last checkpoint before it on are read back from the store and folded again, and what that makes
of later checkpoints and of the days of these trades is part of the same decision.

Totals of today are in memory, each account's today its own; of an earlier day, what was not committed yet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Protocol

from msgspec.structs import replace

from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.execution import Execution
from fairlead_server.domain.order import ZERO, Order
from fairlead_server.domain.position import (
    EXACT,
    FLAT,
    NOTHING,
    ONE_ORDER,
    DayTotal,
    HoldingKey,
    Position,
    TotalKey,
    Trade,
    TradeKey,
    counted,
    of_trade,
    refold,
)
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_day import TradingDay
from fairlead_server.store.batch import Batch
from fairlead_server.store.snapshot import Snapshot

_UTC_DAY = TradingDay()
_NEVER = datetime.max.replace(tzinfo=UTC)

Multiplier = Callable[[str], Decimal]  # by instrument_id
_Part = tuple[str, str, str]  # instrument_id, strategy_id, session_id
_Names = tuple[str, str, str, str]  # account_id and those; empty where all are summed
_Named = tuple[bool, bool, bool, bool]  # which of them are not


class TradeArchive(Protocol):
    """What is committed and not in memory. Read in place, as the orders are."""

    def trades(self, key: HoldingKey, place: int) -> list[Trade]:
        """In their order, from the last at or before ``place`` on that has its opening."""

    def sequences(self, order_ids: Sequence[str]) -> dict[str, int]:
        """Of the events that told of the orders' executions, by execution_id."""

    def day_total(self, key: TotalKey) -> DayTotal | None: ...


class Holdings:
    """``days`` says when an account's day begins; one that is not in it keeps to UTC. One owner: the book.

    ``multiplier`` is what one of an instrument is worth at a price of 1.
    """

    def __init__(self, archive: TradeArchive, days: Mapping[str, TradingDay], multiplier: Multiplier) -> None:
        self._archive = archive
        self._multiplier = multiplier
        self._calendar = days
        self._positions: dict[HoldingKey, Position] = {}
        self._open: defaultdict[str, set[HoldingKey]] = defaultdict(
            set
        )  # those that are not flat, by instrument_id
        self._of_account: defaultdict[str, list[HoldingKey]] = defaultdict(list)
        self._days: dict[str, tuple[date, datetime]] = {}  # by account_id: today, and when it ends
        self._first_end = _NEVER
        self._totals: defaultdict[str, dict[_Part, DayTotal]] = defaultdict(dict)  # of today, by account_id
        self._sums: dict[_Named, dict[_Names, DayTotal]] = {}  # of those, as they were asked for
        self._read: dict[
            str, dict[date, dict[_Part, DayTotal]]
        ] = {}  # at the start, until it is known what today is
        # What is decided and perhaps not committed yet.
        self._new_trades: dict[TradeKey, Trade] = {}
        self._new_sequences: dict[str, int] = {}  # of events, by execution_id
        self._new_totals: dict[TotalKey, DayTotal] = {}
        self.durable: dict[HoldingKey, Position] = {}  # for answering

    def load(self, snapshot: Snapshot) -> None:
        """Into one that is empty."""
        for key, position in snapshot.positions:
            self._put(key, position)
        self.durable = dict(self._positions)
        for (day, account_id, *rest), total in snapshot.day_totals:
            by_day = self._read.setdefault(account_id, {})
            by_day.setdefault(day, {})[rest[0], rest[1], rest[2]] = total

    # What there is, uncommitted changes included: for deciding, not for answering.

    def of(self, key: HoldingKey) -> Position:
        return self._positions.get(key, FLAT)

    def all(self) -> Iterator[tuple[HoldingKey, Position]]:
        return iter(self._positions.items())

    def of_account(self, account_id: str) -> Iterator[tuple[HoldingKey, Position]]:
        """Those that ever were."""
        return ((key, self._positions[key]) for key in self._of_account.get(account_id, ()))

    def quantities(self) -> Iterator[tuple[Scope, Decimal]]:
        for (account_id, instrument_id, strategy_id), position in self._positions.items():
            scope = Scope(account_id, instrument_id=instrument_id, strategy_id=strategy_id)
            yield scope, position.quantity

    def unrealised(self, scope: Scope, price: Callable[[str], Decimal | None]) -> Decimal:
        """The sum over what is open in ``scope``, at each instrument's ``price``; what has none has earned nothing known.

        A position is of no principal and of no session, so such a scope has none.
        """
        total = ZERO
        if scope.principal or scope.session_id:
            return total
        for instrument_id in [scope.instrument_id] if scope.instrument_id else list(self._open):
            keys = self._open.get(instrument_id)
            known = price(instrument_id) if keys else None
            if not keys or known is None:
                continue
            worth = EXACT.multiply(known, self._multiplier(instrument_id))
            for key in keys:
                if scope.account_id in ("", key[0]) and scope.strategy_id in ("", key[2]):
                    total = EXACT.add(total, self._positions[key].unrealised(worth))
        return total

    def today(self, scope: Scope, now: datetime) -> DayTotal:
        """The sum over all that belongs to ``scope``, which names no principal; each account's today is its own.

        The first question about such dimensions looks at all there is, and every other is answered by one look.
        """
        self._turn_over(now)
        names = scope.account_id, scope.instrument_id, scope.strategy_id, scope.session_id
        named = bool(names[0]), bool(names[1]), bool(names[2]), bool(names[3])
        sums = self._sums.get(named)
        if sums is None:
            sums = self._sums[named] = {}
            for account_id, totals in self._totals.items():
                for part, total in totals.items():
                    _add(sums, _only(named, (account_id, *part)), total)
        return sums.get(names, NOTHING)

    def day_of(self, account_id: str, now: datetime) -> date:
        """A clock that is set back does not bring a day back, until the router begins anew."""
        known = self._days.get(account_id)
        if known is not None and now < known[1]:
            return known[0]
        calendar = self._calendar.get(account_id, _UTC_DAY)
        day = calendar.of(now)
        self._days[account_id] = day, calendar.end(day)
        self._first_end = min(end for _, end in self._days.values())
        self._totals[account_id] = self._read.pop(account_id, {}).get(day, {})
        self._sums.clear()
        self._turn_over(now)  # whoever keeps the same hours, at once
        return day

    def _turn_over(self, now: datetime) -> None:
        while self._read:
            self.day_of(next(iter(self._read)), now)
        if now >= self._first_end:
            for account_id in [name for name, (_, end) in self._days.items() if now >= end]:
                self.day_of(account_id, now)

    # What is decided.

    def entered(
        self, before: Order | None, order: Order, change: Change, kind: EventKind, now: datetime, batch: Batch
    ) -> None:
        """One event of an order, which has its place in the log."""
        if kind is EventKind.FILLED and change.execution is not None:
            self._new_sequences[change.execution.execution_id] = order.sequence
            self._fill(order, change.execution, now, batch)
        elif before is None:
            if change.execution is not None:
                self._new_sequences[change.execution.execution_id] = order.sequence
            if order.executions:
                self._recount(None, order, now, batch)
        elif order.executions is not before.executions:
            if change.execution is not None and kind is not EventKind.TRADE_BUSTED:
                self._new_sequences[change.execution.execution_id] = order.sequence
            self._recount(before, order, now, batch)
        elif kind is EventKind.ROUTED or (
            kind is EventKind.AMEND_REQUESTED and len(order.cl_ord_ids) > len(before.cl_ord_ids)
        ):
            today = self.day_of(order.request.account_id, now)
            self._count(_holding(order), today, today, order.session_id, ONE_ORDER, batch)

    def marked(self, instrument_id: str, price: Decimal, batch: Batch) -> None:
        """The reference price has become ``price``: a position that has an extreme by it keeps that."""
        keys = self._open.get(instrument_id)
        if not keys:
            return
        worth = EXACT.multiply(price, self._multiplier(instrument_id))
        for key in keys:
            before = self._positions[key]
            after = before.marked(worth)
            if after is not before:
                self._positions[key] = batch.positions[key] = after

    def _fill(self, order: Order, fill: Execution, now: datetime, batch: Batch) -> None:
        buys = order.request.side.sign > 0
        quantity = fill.quantity if buys else fill.quantity.copy_negate()
        self._append(order, quantity, fill.price, now, batch)

    def _append(self, order: Order, quantity: Decimal, price: Decimal, now: datetime, batch: Batch) -> None:
        key = _holding(order)
        before = self._positions.get(key, FLAT)
        today = self.day_of(key[0], now)
        opening = before if before.is_checkpoint else None
        price = EXACT.multiply(price, self._multiplier(key[1]))
        trade = Trade(order.sequence, quantity, price, now, today, order.session_id, opening)
        after = before.after(trade)
        self._keep(key, trade, batch)
        self._put(key, after)
        batch.positions[key] = after
        self._count(key, today, today, order.session_id, of_trade(trade, before, after), batch)

    def _recount(self, before: Order | None, order: Order, now: datetime, batch: Batch) -> None:
        told = self._archive.sequences([order.order_id]) if before else {}
        sequences = {**told, **self._new_sequences}
        counts = counted(order, sequences)
        counted_before = counted(before, sequences) if before else {}
        places = counts.keys() | counted_before.keys()
        different = {place for place in places if counts.get(place) != counted_before.get(place)}
        if different == {order.sequence}:
            self._append(order, *counts[order.sequence], now, batch)
        elif different:
            self._refold(order, {place: counts.get(place) for place in different}, now, batch)

    def _refold(
        self,
        order: Order,
        different: Mapping[int, tuple[Decimal, Decimal] | None],
        now: datetime,
        batch: Batch,
    ) -> None:
        key = _holding(order)
        today, multiplier = self.day_of(key[0], now), self._multiplier(key[1])
        trades = self._trades(key, min(different))
        changed: dict[int, Trade] = {}
        for place, counts in different.items():
            known = trades.get(place)
            if known is None:
                quantity, price = counts or (ZERO, ZERO)
                price = EXACT.multiply(price, multiplier)
                changed[place] = Trade(place, quantity, price, now, today, order.session_id)
            else:
                quantity, price = (
                    (counts[0], EXACT.multiply(counts[1], multiplier)) if counts else (ZERO, known.price)
                )
                changed[place] = replace(known, quantity=quantity, price=price)
        found = refold(trades.values(), changed)
        for trade in found.trades:
            self._keep(key, trade, batch)
        self._put(key, found.position)
        batch.positions[key] = found.position
        for (day, session_id), difference in found.days.items():
            self._count(key, day, today, session_id, difference, batch)

    def _trades(self, key: HoldingKey, place: int) -> dict[int, Trade]:
        """By their places, from the last at or before ``place`` on that has its opening."""
        trades = {trade.place: trade for trade in self._archive.trades(key, place)}
        trades |= {name[3]: trade for name, trade in self._new_trades.items() if name[:3] == key}
        start = max(
            trade.place for trade in trades.values() if trade.opening is not None and trade.place <= place
        )
        return {each: trades[each] for each in sorted(trades) if each >= start}

    def _keep(self, key: HoldingKey, trade: Trade, batch: Batch) -> None:
        name = (*key, trade.place)
        self._new_trades[name] = batch.trades[name] = trade

    def _put(self, key: HoldingKey, position: Position) -> None:
        if key not in self._positions:
            self._of_account[key[0]].append(key)
        self._positions[key] = position
        if position.quantity:
            self._open[key[1]].add(key)
        else:
            self._open[key[1]].discard(key)

    def _count(
        self, key: HoldingKey, day: date, today: date, session_id: str, difference: DayTotal, batch: Batch
    ) -> None:
        account_id, instrument_id, strategy_id = key
        name = day, account_id, instrument_id, strategy_id, session_id
        if day != today:
            total = (self._new_totals.get(name) or self._archive.day_total(name) or NOTHING).plus(difference)
        else:
            part, totals = (instrument_id, strategy_id, session_id), self._totals[account_id]
            total = totals[part] = totals.get(part, NOTHING).plus(difference)
            for named, sums in self._sums.items():
                _add(sums, _only(named, (account_id, *part)), difference)
        self._new_totals[name] = batch.day_totals[name] = total

    # What has become durable.

    def committed(self, batch: Batch) -> None:
        self.durable.update(batch.positions)
        for row in batch.executions:
            self._new_sequences.pop(row.execution_id, None)
        for name, trade in batch.trades.items():
            if self._new_trades.get(name) is trade:
                del self._new_trades[name]
        for key, total in batch.day_totals.items():
            if self._new_totals.get(key) is total:
                del self._new_totals[key]


def _holding(order: Order) -> HoldingKey:
    request = order.request
    return request.account_id, request.instrument_id, request.strategy_id


def _only(named: _Named, names: _Names) -> _Names:
    account, instrument, strategy, session = named
    return (
        names[0] if account else "",
        names[1] if instrument else "",
        names[2] if strategy else "",
        names[3] if session else "",
    )


def _add(sums: dict[_Names, DayTotal], names: _Names, total: DayTotal) -> None:
    sums[names] = sums.get(names, NOTHING).plus(total)
