"""What is held and what it has earned: positions at average cost, each folded from the trades that count, in their order.

What is kept is the total cost of the open quantity, not its average. To take a part of a position away takes that part of
the cost away, and this is the only place where anything is rounded: what is left of the cost, half even, to 24 decimals,
which are as many as a product of two decimals of the API has. All else is exact, so at any time

    realised = sold value - bought value + cost of what is open

holds to the last digit, and what a position that is flat has earned is rounded nowhere. Whoever folds the same trades
gets the same digits.

A bust or a correction changes what a trade counts where it stands, and everything after it is folded again: the position
is what it would be had the trade never been, or been the corrected one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.order import ZERO, Order

HoldingKey = tuple[str, str, str]  # account_id, instrument_id, strategy_id
TradeKey = tuple[str, str, str, int]  # of its holding, and its place
TotalKey = tuple[date, str, str, str, str]  # the day, that of the holding, and session_id

# A quotient of two such numbers that is no tie of 24 decimals is further from one than a hundred digits can blur.
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
_add, _subtract, _multiply = EXACT.add, EXACT.subtract, EXACT.multiply
_ONE = Decimal(1)
_COST_PLACES = Decimal(1).scaleb(-24)
_PRICE_PLACES = Decimal(1).scaleb(-12)
_CHECKPOINT = 128  # trades: so many more than have to be are folded again after a bust, at most


class Trade(Struct, frozen=True):
    """One execution as it counts by now: ``place`` is that of its event in the log, which a correction leaves as it was.

    ``opening`` is the position before it, kept with some of them, from where the fold can be taken up.
    """

    place: int
    quantity: Decimal  # signed; zero where it was busted
    price: Decimal  # what one has cost: the execution's price, times the instrument's multiplier
    time: datetime
    day: date  # of its account
    session_id: str = ""
    opening: Position | None = None


class Position(Struct, frozen=True):
    """Of one strategy of an account in one instrument. Quantity and cost are signed, amounts in the instrument's currency.

    Prices here are of one whole contract: those of the instrument, times its multiplier.

    ``highest`` and ``lowest`` are the extremes of what the open quantity has earned since it was last flat; of a flat one,
    those that it had in the end. The executions' own prices count, and the reference prices that came meanwhile.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO
    bought_quantity: Decimal = ZERO
    bought_value: Decimal = ZERO
    sold_quantity: Decimal = ZERO
    sold_value: Decimal = ZERO
    highest: Decimal = ZERO
    lowest: Decimal = ZERO
    open_time: datetime | None = None  # since when it is not flat; of a flat one, since when it was not
    update_time: datetime | None = None
    day: date | None = None  # of its last trade
    realised_before: Decimal = ZERO  # that day
    trades: int = 0  # that count

    def average(self, multiplier: Decimal = _ONE) -> Decimal | None:
        """The price at which it would have earned nothing, rounded half even to twelve decimals; None of a flat one."""
        if not self.quantity:
            return None
        contracts = _multiply(self.quantity, multiplier)
        return EXACT.quantize(EXACT.divide(self.cost, contracts), _PRICE_PLACES)

    def unrealised(self, price: Decimal) -> Decimal:
        """What the open quantity has earned where one of it is worth that price."""
        return _subtract(_multiply(self.quantity, price), self.cost)

    def realised_on(self, day: date) -> Decimal:
        """What it has earned on ``day``, which is no earlier than that of its last trade."""
        return _subtract(self.realised, self.realised_before) if self.day == day else ZERO

    def marked(self, price: Decimal) -> Position:
        """After one of it has become worth ``price``; itself, where that is no new extreme."""
        if not self.quantity:
            return self
        earned = self.unrealised(price)
        if self.lowest <= earned <= self.highest:
            return self
        return replace(self, highest=max(self.highest, earned), lowest=min(self.lowest, earned))

    def after(self, trade: Trade) -> Position:
        quantity, price = trade.quantity, trade.price
        if not quantity:
            return self
        held, cost, realised = self.quantity, self.cost, self.realised
        highest, lowest, open_time = self.highest, self.lowest, self.open_time
        value = _multiply(quantity, price)
        left = _add(held, quantity)
        if not held:
            cost, highest, lowest, open_time = value, ZERO, ZERO, trade.time
        else:
            earned = _subtract(_multiply(held, price), cost)
            if earned > highest:
                highest = earned
            elif earned < lowest:
                lowest = earned
            if (held > 0) is (quantity > 0):
                cost = _add(cost, value)
            elif not left:
                realised, cost = _add(realised, earned), ZERO
            elif (left > 0) is (held > 0):
                kept = EXACT.quantize(EXACT.divide(_multiply(cost, left), held), _COST_PLACES)
                realised = _subtract(realised, _add(value, _subtract(cost, kept)))
                cost = kept
            else:  # through zero: all is closed at that price, and the rest opened
                realised, cost = _add(realised, earned), _multiply(left, price)
                highest, lowest, open_time = ZERO, ZERO, trade.time
        bought = quantity > 0
        return Position(
            left,
            cost,
            realised,
            _add(self.bought_quantity, quantity) if bought else self.bought_quantity,
            _add(self.bought_value, value) if bought else self.bought_value,
            self.sold_quantity if bought else _subtract(self.sold_quantity, quantity),
            self.sold_value if bought else _subtract(self.sold_value, value),
            highest,
            lowest,
            open_time,
            trade.time,
            trade.day,
            self.realised_before if self.day == trade.day else self.realised,
            self.trades + 1,
        )

    @property
    def is_checkpoint(self) -> bool:
        """Whether it is kept with the trade that follows."""
        return self.trades % _CHECKPOINT == 0


FLAT = Position()


class DayTotal(Struct, frozen=True):
    """What was done on one day. ``orders`` are new orders and amends that were sent; of the trades, those that count."""

    orders: int = 0
    fills: int = 0
    bought_quantity: Decimal = ZERO
    bought_value: Decimal = ZERO
    sold_quantity: Decimal = ZERO
    sold_value: Decimal = ZERO
    realised: Decimal = ZERO

    def plus(self, other: DayTotal) -> DayTotal:
        return DayTotal(
            self.orders + other.orders,
            self.fills + other.fills,
            _add(self.bought_quantity, other.bought_quantity),
            _add(self.bought_value, other.bought_value),
            _add(self.sold_quantity, other.sold_quantity),
            _add(self.sold_value, other.sold_value),
            _add(self.realised, other.realised),
        )

    def minus(self, other: DayTotal) -> DayTotal:
        return DayTotal(
            self.orders - other.orders,
            self.fills - other.fills,
            _subtract(self.bought_quantity, other.bought_quantity),
            _subtract(self.bought_value, other.bought_value),
            _subtract(self.sold_quantity, other.sold_quantity),
            _subtract(self.sold_value, other.sold_value),
            _subtract(self.realised, other.realised),
        )


NOTHING = DayTotal()
ONE_ORDER = DayTotal(orders=1)


def of_trade(trade: Trade, before: Position, after: Position) -> DayTotal:
    """What one trade, which took a position from ``before`` to ``after``, adds to its day."""
    quantity = trade.quantity
    if not quantity:
        return NOTHING
    realised = _subtract(after.realised, before.realised)
    value = _multiply(quantity, trade.price)
    if quantity > 0:
        return DayTotal(0, 1, quantity, value, ZERO, ZERO, realised)
    return DayTotal(0, 1, ZERO, ZERO, quantity.copy_negate(), value.copy_negate(), realised)


class Refolded(Struct, frozen=True):
    """What a bust or a correction makes of a position, of its trades from the first that it changes on, and of the days.

    ``trades`` are those that are different now; ``days`` is by how much each day and session differs.
    """

    position: Position
    trades: tuple[Trade, ...]
    days: Mapping[tuple[date, str], DayTotal]


def refold(trades: Iterable[Trade], changed: Mapping[int, Trade]) -> Refolded:
    """``trades`` as they counted before, in their order, the first with its ``opening``; ``changed`` by their places.

    A place that is not among ``trades`` is new, and comes last. What reference prices have had to say to ``highest`` and
    ``lowest`` is not known of any instant but the openings', so it is left out.
    """
    before = list(trades)
    known = {trade.place for trade in before}
    new = [changed[place] for place in sorted(changed) if place not in known]
    old = now = before[0].opening if before else None
    old = now = FLAT if now is None else now
    different: list[Trade] = []
    days: dict[tuple[date, str], DayTotal] = {}
    for trade in (*before, *new):
        is_new = trade.place not in known
        wanted = changed.get(trade.place, trade)
        opening = now if trade.opening is not None or (is_new and now.is_checkpoint) else None
        wanted = replace(wanted, opening=opening)
        if is_new or wanted != trade:
            different.append(wanted)
        next_old = old if is_new else old.after(trade)
        next_now = now.after(wanted)
        difference = of_trade(wanted, now, next_now)
        if not is_new:
            difference = difference.minus(of_trade(trade, old, next_old))
        key = wanted.day, wanted.session_id
        days[key] = days.get(key, NOTHING).plus(difference)
        old, now = next_old, next_now
    return Refolded(now, tuple(different), {key: total for key, total in days.items() if total != NOTHING})


def counted(order: Order, sequences: Mapping[str, int]) -> dict[int, tuple[Decimal, Decimal]]:
    """Signed quantity and price of each of the order's executions that stands, by its place.

    ``sequences`` are those of the events that told of them, by execution_id. A correction has the place of the first
    that it goes back to; where that was not told, or later, its own.
    """
    leads_to = {e.superseded_by: e for e in order.executions if e.superseded_by}
    buys = order.request.side.sign > 0
    found = {}
    for execution in order.executions:
        if execution.stands:
            place, earlier = sequences[execution.execution_id], leads_to.get(execution.key)
            while earlier is not None:
                place = min(place, sequences.get(earlier.execution_id, place))
                earlier = leads_to.get(earlier.key)
            quantity = execution.quantity if buys else execution.quantity.copy_negate()
            found[place] = quantity, execution.price
    return found
