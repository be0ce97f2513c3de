"""The cases, and how one is run: the reference and the router in turn, so that both meet the same machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import median

from tests.benchmarks import load
from tests.benchmarks.figures import ANSWER_P50, ANSWER_P99, RATE, Comparison
from tests.benchmarks.rig import Load, Rig, Way


@dataclass(frozen=True, slots=True)
class Case:
    """Closed with so many ``in_flight``, or else open at ``part`` of the most that the router was seen to do.

    ``way`` is how the router is asked: a call an order, a call for many, or one stream. The reference is a call an order
    all the same, with ``calls`` in flight: what the others are there to beat.
    """

    name: str
    title: str
    share: float  # of the orders asked for: a slow way to send needs fewer
    in_flight: int = 0
    part: float = 0.0
    way: Way = Way.CALL
    calls: int = 0
    headline: str = RATE


CASES = {
    case.name: case
    for case in (
        Case("unary64", "SubmitOrder unary, 64 in flight", 1.0, in_flight=64),
        Case("unary16", "SubmitOrder unary, 16 in flight", 0.5, in_flight=16),
        Case("unary1", "SubmitOrder unary, 1 in flight", 0.2, in_flight=1, headline=ANSWER_P50),
        Case(
            "trade256",
            "TradeSession, 256 in flight, beside a call an order, 64",
            4.0,
            in_flight=256,
            way=Way.TRADE,
            calls=64,
        ),
        Case(
            "batch256",
            "BatchSubmitOrders, 256 in flight, beside a call an order, 64",
            2.0,
            in_flight=256,
            way=Way.BATCH,
            calls=64,
        ),
        Case(
            "trade1",
            "TradeSession, 1 in flight, beside a call an order",
            0.2,
            in_flight=1,
            way=Way.TRADE,
            calls=1,
            headline=ANSWER_P50,
        ),
        Case(
            "open50",
            "SubmitOrder unary, open loop at 50 % of the maximum",
            0.5,
            part=0.5,
            headline=ANSWER_P99,
        ),
        Case(
            "open70",
            "SubmitOrder unary, open loop at 70 % of the maximum",
            0.5,
            part=0.7,
            headline=ANSWER_P99,
        ),
    )
}
FULL = CASES["unary64"]
ON_POSTGRESQL = {f"{name}-postgresql": CASES[name] for name in ("unary64", "trade256", "batch256", "unary1")}

_WARM_UP = 0.1  # of the orders asked for, once for each server


class Bench:
    """Runs cases on one rig. The open loops take their rate from the full load of the same run."""

    def __init__(self, rig: Rig, rounds: int, orders: int) -> None:
        self._rig = rig
        self._rounds = rounds
        self._orders = orders
        self._most = 0.0  # orders/s

    async def warm_up(self) -> None:
        count = max(int(self._orders * _WARM_UP), 1)
        await self._rig.echo_round(_closed(FULL), count)
        await self._rig.router_round(_closed(FULL), count)

    async def run(self, case: Case) -> Comparison:
        way = _closed(case) if case.in_flight else await self._open(case)
        comparison = await self._compare(case, way, self._rounds)
        if case is FULL:
            self._most = median(ours[RATE] for ours, _ in comparison.pairs)
        return comparison

    async def _open(self, case: Case) -> Load:
        if not self._most:
            await self._rig.router_round(_closed(FULL), self._orders)
            self._most = (await self._rig.router_round(_closed(FULL), self._orders))[RATE]
        return partial(load.open_loop, rate=case.part * self._most)

    async def _compare(self, case: Case, way: Load, rounds: int) -> Comparison:
        count = max(int(self._orders * case.share), 1)
        pairs = []
        for _ in range(rounds):
            calls = partial(load.closed, in_flight=case.calls) if case.calls else way
            reference = await self._rig.echo_round(calls, count)
            pairs.append((await self._rig.router_round(way, count, case.way), reference))
        title = f"{case.title}, on PostgreSQL" if self._rig.on_postgresql else case.title
        return Comparison(title, pairs, headline=case.headline)


def _closed(case: Case) -> Load:
    return partial(load.closed, in_flight=case.in_flight)
