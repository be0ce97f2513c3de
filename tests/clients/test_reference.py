"""What can be traded, seen from the clients and the command line: instruments, prices, calendars."""

from decimal import Decimal

import pytest
from fairlead import AsyncClient, Client
from fairlead.v1 import reference_service_pb2 as pb
from fairlead.values import PriceUpdate
from google.rpc import status_pb2
from grpc import StatusCode as Code

from tests.clients.cli import Cli
from tests.clients.conftest import QUICK
from tests.clients.fakes import Fail, FakeRouter

UPDATE: PriceUpdate = {"instrument_id": "AAPL", "price": Decimal("230.10"), "bid": "230", "last": 231}


async def test_prices_are_set_and_set_again_when_nobody_answers(router: FakeRouter, target: str) -> None:
    done = pb.UpdateReferencePricesResponse(updated_count=1)
    router.answers["UpdateReferencePrices"] = [Fail(Code.UNAVAILABLE, "STORE_UNAVAILABLE"), done]

    with Client(target, retry=QUICK) as client:
        assert client.update_reference_prices([UPDATE], source="feed") == done
    async with AsyncClient(target, retry=QUICK) as asynchronous:
        assert await asynchronous.update_reference_prices([UPDATE], source="feed", force=True) == done

    first, second, third = router.received["UpdateReferencePrices"]
    assert first == second
    assert (first.prices[0].price, first.prices[0].bid, first.prices[0].last) == ("230.10", "230", "231")
    assert not first.prices[0].HasField("ask")
    assert (third.source, third.force) == ("feed", True)


def test_prices_are_listed_with_age_and_source(router: FakeRouter, cli: Cli) -> None:
    price = pb.ReferencePrice(price="230.10", source="feed", bid="230")
    price.age.FromSeconds(90_061)
    instruments = [
        pb.Instrument(instrument_id="AAPL", currency="USD", reference_price=price),
        pb.Instrument(instrument_id="MSFT"),
    ]
    router.answers["ListInstruments"] = [pb.ListInstrumentsResponse(instruments=instruments)]

    assert cli("price", "list") == 0
    lines = [line.split() for line in cli.out.splitlines()]
    assert lines[1] == ["AAPL", "230.10", "USD", "90061", "s", "feed", "230"]
    assert lines[2] == ["MSFT"]
    assert cli("price", "list", "MSFT") == 0
    assert [line.split()[0] for line in cli.out.splitlines()] == ["instrument", "MSFT"]


def test_prices_are_set_and_what_was_not_is_one_line_each(router: FakeRouter, cli: Cli) -> None:
    status = status_pb2.Status.FromString(
        Fail(Code.NOT_FOUND, "INSTRUMENT_NOT_FOUND", "no instrument X").details()
    )
    failure = pb.PriceFailure(index=1, instrument_id="X", error=status)
    router.answers["UpdateReferencePrices"] = [
        pb.UpdateReferencePricesResponse(updated_count=1, failures=[failure])
    ]
    at = ("--at", "2026-11-20T16:00:00Z", "--force")

    assert cli("price", "set", "AAPL=230.10", "X=1", "--reason", "no feed", *at) == 3

    assert cli.err == "fairlead: INSTRUMENT_NOT_FOUND: no instrument X\n"
    (request,) = router.received["UpdateReferencePrices"]
    assert (request.source, request.reason, request.force) == ("manual", "no feed", True)
    assert [(price.instrument_id, price.price) for price in request.prices] == [
        ("AAPL", "230.10"),
        ("X", "1"),
    ]
    assert request.prices[0].price_time.ToJsonString() == "2026-11-20T16:00:00Z"


@pytest.mark.parametrize("price", ["AAPL", "AAPL=dear"])
def test_what_is_no_price_is_said_before_anybody_is_asked(router: FakeRouter, cli: Cli, price: str) -> None:
    assert cli("price", "set", price) == 2
    assert cli.err.count("\n") == 1
    assert router.received["UpdateReferencePrices"] == []
