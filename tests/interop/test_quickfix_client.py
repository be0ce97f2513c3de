"""QuickFIX as the client of the simulator, and so of our own sessions as acceptor. Every test ends in the same audit.

What is asked and what comes of it is the same in each version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from tests.interop import line
from tests.interop.exchange import VERSIONS, Exchange, Fields
from tests.interop.line import To
from tests.interop.quickfix_broker.orders import FIXT

_MANY = 10_000


@dataclass(frozen=True, slots=True)
class Basket:
    """Orders and requests whose outcome is known; ``name`` heads their ClOrdIDs, which are used once only."""

    name: str

    def messages(self) -> Iterator[tuple[str, Fields]]:
        yield self._order("filled", "AAPL")
        yield self._order("sliced", "MSFT")
        yield self._order("resting", "INTC", "20")
        yield self._order("first", "INTC", "20")
        yield "G", [*self._request("second", "first", "INTC"), (21, "1"), (40, "2"), (44, "21"), (38, "50")]
        yield "F", self._request("third", "second", "INTC")
        yield self._order("refused", "DIS")
        yield "D", [*self._order("immediate", "AAPL", "1")[1], (59, "3")]
        yield "F", self._request("too late", "filled", "AAPL")
        yield "F", self._request("unknown", "nothing", "AAPL")
        yield "H", [(11, f"{self.name}-resting"), (55, "INTC"), (54, "1")]

    def told(self, heard: Iterable[dict[int, str]]) -> bool:
        """Whether the client has heard how it all ended."""
        status = {(each[35], each[11]): each[39] for each in heard}
        asked = any(each.get(17) == "0" and each[11] == f"{self.name}-resting" for each in heard)
        return asked and all(
            status.get((kind, f"{self.name}-{name}")) == wanted for kind, name, wanted in _OUTCOMES
        )

    def _order(self, name: str, symbol: str, price: str = "") -> tuple[str, Fields]:
        kind: Fields = [(40, "2"), (44, price)] if price else [(40, "1")]
        return "D", [(11, f"{self.name}-{name}"), (21, "1"), (55, symbol), (54, "1"), (38, "100"), *kind]

    def _request(self, name: str, orig: str, symbol: str) -> Fields:
        return [
            (11, f"{self.name}-{name}"),
            (41, f"{self.name}-{orig}"),
            (55, symbol),
            (54, "1"),
            (38, "100"),
        ]


_OUTCOMES = [  # the last report that each ClOrdID(11) is named in
    ("8", "filled", "2"),
    ("8", "sliced", "2"),
    ("8", "resting", "0"),
    ("8", "third", "4"),
    ("8", "refused", "8"),
    ("8", "immediate", "4"),
    ("9", "too late", "2"),
    ("9", "unknown", "8"),
]


class Trader:
    """Trades baskets in all versions at once."""

    def __init__(self, exchange: Exchange) -> None:
        self._client = exchange.client
        self._baskets: list[Basket] = []

    def ask(self, baskets: int = 1) -> None:
        for _ in range(baskets):
            self._baskets.append(Basket(f"B{len(self._baskets)}"))
            for begin_string in VERSIONS:
                self._client.ask(begin_string, self._baskets[-1].messages())

    async def told(self) -> None:
        await self._client.until(lambda: all(map(self._all_told, VERSIONS)))

    def _all_told(self, begin_string: str) -> bool:
        heard = self._client.heard(begin_string)
        return all(basket.told(heard) for basket in self._baskets)

    async def trade(self, baskets: int = 1) -> None:
        self.ask(baskets)
        await self.told()


@pytest.fixture
def trader(exchange: Exchange) -> Trader:
    return Trader(exchange)


async def test_baskets_are_traded_over_all_versions(exchange: Exchange, trader: Trader) -> None:
    await trader.trade(3)

    assert [str(p) for p in exchange.line.passed if p.fields["35"] in {"2", "4"}] == []
    await exchange.agrees()


async def test_a_line_that_is_cut_inside_messages_loses_and_doubles_nothing(
    exchange: Exchange, trader: Trader
) -> None:
    trader.ask(10)
    await exchange.line.was_cut(line.cut_inside(To.BROKER, "D", after=10))
    await exchange.line.was_cut(line.cut_inside(To.ROUTER, "8", after=10))
    await exchange.line.was_cut(line.cut_inside(To.BROKER, "F", "G"))
    await exchange.line.was_cut(line.cut_inside(To.ROUTER, "9"))
    await trader.told()

    assert exchange.line.connections >= len(VERSIONS) + 4
    await exchange.agrees()


async def test_what_was_lost_is_sent_again_in_both_directions(exchange: Exchange, trader: Trader) -> None:
    await trader.trade()
    for way in To:
        exchange.line.judge = line.lose_all(way)
        async with asyncio.TaskGroup() as lost:
            for begin_string in VERSIONS:
                lost.create_task(exchange.line.sees(3, way, "D", "8", begin_string=begin_string))
            trader.ask()
        exchange.line.cut()
        exchange.line.judge = line.let_pass
        await trader.told()

    for begin_string in VERSIONS:
        again = {
            (p.to, p.fields["35"])
            for p in exchange.line.passed
            if p.fields["8"] == begin_string and p.fields.get("43") == "Y"
        }
        assert again >= {(To.BROKER, "D"), (To.ROUTER, "8")}
    await exchange.agrees()


async def test_a_client_that_is_killed_goes_on_where_it_was(exchange: Exchange, trader: Trader) -> None:
    trader.ask(6)
    for _ in range(3):
        await exchange.line.sees(20, To.ROUTER, "8")
        await exchange.client.kill()
        await exchange.client.start()
    await trader.told()

    await exchange.agrees()


async def test_a_simulator_that_is_killed_goes_on_where_it_was(exchange: Exchange, trader: Trader) -> None:
    trader.ask(10)
    for _ in range(3):
        await exchange.line.sees(20, To.ROUTER, "8")
        await exchange.simulator.kill()
        await exchange.simulator.start()
    await trader.told()

    await exchange.agrees()


class TestReset:
    @pytest.fixture(params=["ResetOnLogon", "ResetOnLogout", "ResetOnDisconnect"])
    def reset(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def client_settings(self, reset: str) -> list[str]:
        return [f"{reset}=Y"]

    async def test_a_client_may_begin_its_numbers_anew(
        self, exchange: Exchange, trader: Trader, reset: str
    ) -> None:
        await trader.trade()
        exchange.line.cut()
        await exchange.client.until(
            lambda: all(len(exchange.client.noted("logon", version)) == 2 for version in VERSIONS)
        )
        await trader.trade()
        assert await exchange.client.stop() == 0
        await exchange.client.start()
        await trader.trade()

        for begin_string in VERSIONS:
            epochs = [part["numbers"][2] for part in exchange.simulator.parts(begin_string)]
            assert epochs == sorted(epochs)
            assert epochs[-1] > epochs[0]
        resets = [p for p in exchange.line.passed if p.fields["35"] == "A" and p.fields.get("141") == "Y"]
        assert {p.to for p in resets} == set(To)
        await exchange.agrees(forgets=reset != "ResetOnLogon")


async def test_ten_thousand_messages_each_way_pass_one_session_that_is_cut(exchange: Exchange) -> None:
    orders = [
        (
            "D",
            [(11, f"many-{n}"), (21, "1"), (55, "INTC"), (54, "1"), (38, "100"), (40, "2"), (44, "20")],
        )
        for n in range(_MANY)
    ]
    exchange.client.ask(FIXT, orders)
    await exchange.line.was_cut(line.cut_inside(To.BROKER, "D", after=_MANY // 3))
    await exchange.line.was_cut(line.cut_inside(To.ROUTER, "8", after=_MANY // 3))
    await exchange.client.until(lambda: len({each[17] for each in exchange.client.heard(FIXT)}) == _MANY)

    await exchange.agrees()
