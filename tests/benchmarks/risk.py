"""What the chain of risk controls costs an order, with 40 limit sets beside one: in this process, without anything else.

The one set holds the four limits that are required. The forty hold every limit that there is, some of them three times over,
each for another scope that the order belongs to, and none is reached. The book has open orders to add up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from decimal import Decimal

from fairlead_server.domain.risk import Examination, LimitSet
from fairlead_server.domain.risk.caps import CAPS
from fairlead_server.domain.risk.control import Cap, Unit
from fairlead_server.domain.risk.table import problems
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.terms import NewOrder
from fairlead_server.store.database import open_store

from tests.benchmarks import codec
from tests.benchmarks.figures import Comparison, Figures
from tests.domain.builders import NOW, limit_set, limits, new_order, policy
from tests.routing.desk import Desk

NAME = "risk"
SETS = 40
CHECK, COMPARED = "check us", "limits compared"

_OPEN = 100
_SCOPES = ("account_id", "instrument_id", "account_id instrument_id", "session_id", "")
_ORDER = Scope("ACC1", "", "ACME", "", "BROKER")
_FAR = Decimal(10**12)
_WIDE = limits(max_order_notional=10**9, max_position=10**9, max_open_orders=10**6)


def measure(rounds: int, orders: int) -> Comparison:
    return asyncio.run(_measure(rounds, orders))


async def _measure(rounds: int, orders: int) -> Comparison:
    many = limit_sets(SETS - 1)
    with closing(open_store("sqlite://")) as first, closing(open_store("sqlite://")) as second:
        desks = [
            Desk(store, policy=policy(values=_WIDE, sets=sets))
            for store, sets in ((first, many), (second, ()))
        ]
        for desk in desks:
            for number in range(_OPEN):
                desk.sent(new_order(client_order_id=f"open-{number}"), at=NOW - timedelta(seconds=number + 2))
        pairs = []
        for _ in range(rounds):
            one, forty = _round(desks[1], orders), _round(desks[0], orders)
            pairs.append((forty, one))
        for desk in desks:
            await desk.end()
    title = f"Risk chain, one new order, {_OPEN} others open"
    return Comparison(title, pairs, (f"{SETS} limit sets", "1 limit set"), CHECK)


def limit_sets(count: int) -> list[LimitSet]:
    """So many that all hold the order, each with one limit that it does not reach."""
    found: list[LimitSet] = []
    for names in _SCOPES:
        scope = Scope(**{name: getattr(_ORDER, name) for name in names.split()})
        for cap in CAPS:
            if all(name in cap.dimensions for name in names.split()):
                found.append(limit_set(scope, f"set-{len(found)}", values=_values(cap)))
    made = found[:count]
    codec.check((len(made), [problem for each in made for problem in problems(each)]), (count, []))
    return made


def _values(cap: Cap) -> dict[str, Decimal]:
    parameters = {each.name: Decimal(1) if each.unit is Unit.SECONDS else _FAR for each in cap.parameters}
    return {cap.limit: Decimal(0) if cap.least else _FAR, **parameters}


def _round(desk: Desk, orders: int) -> Figures:
    """As the router asks it: the limits that bind the order are looked up, what they compare is added up."""
    asked = [new_order(client_order_id=f"asked-{number}") for number in range(orders)]
    examined: list[Examination] = []

    def check(new: NewOrder) -> None:
        examined.append(desk.entry.checks.new(new, "BROKER", NOW, None))

    cost = codec.cpu_us(check, asked)
    codec.check(_breached(examined), ())
    return {CHECK: cost, COMPARED: float(len(examined[0].measures))}


def _breached(examined: Sequence[Examination]) -> tuple[object, ...]:
    return tuple(breach for each in examined for breach in each.breaches)
