"""What can be traded, seen from the clients and the command line: instruments, prices, calendars."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from fairlead import AsyncClient, Client, OrderType, Shorting
from fairlead.errors import BadValue
from fairlead.v1 import reference_service_pb2 as pb
from fairlead.v1.common_pb2 import ORDER_TYPE_LIMIT
from fairlead.values import InstrumentTerms, PriceUpdate
from google.protobuf.duration_pb2 import Duration
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


TERMS: InstrumentTerms = {
    "symbol": "ACM",
    "tick_size": Decimal("0.01"),
    "halted": True,
    "multiplier": None,
    "tick_table": [(0, "0.0001"), (1, "0.01")],
    "shorting": Shorting.LOCATE,
    "order_types": [OrderType.LIMIT],
    "max_reference_age": timedelta(minutes=5),
}
MADE = pb.Instrument(
    instrument_id="ACME",
    symbol="ACM",
    tick_size="0.01",
    halted=True,
    tick_table=[
        pb.TickBand(begin_price="0", tick_size="0.0001"),
        pb.TickBand(begin_price="1", tick_size="0.01"),
    ],
    shorting=pb.SHORTING_LOCATE,
    order_types=[ORDER_TYPE_LIMIT],
    max_reference_age=Duration(seconds=300),
)
ETAGGED = pb.Instrument(instrument_id="ACME", etag="e1", changed_columns=["halted"])


def fill_answers(router: FakeRouter) -> None:
    router.answers["CreateInstrument"] = [pb.CreateInstrumentResponse(instrument=ETAGGED)]
    router.answers["UpdateInstrument"] = [pb.UpdateInstrumentResponse(instrument=ETAGGED)]
    router.answers["DeleteInstrument"] = [
        pb.DeleteInstrumentResponse(instrument=ETAGGED),
        pb.DeleteInstrumentResponse(),
    ]
    line = pb.ImportedInstrument(
        line=2, instrument_id="ACME", outcome=pb.IMPORT_OUTCOME_UPDATED, columns=["halted", "kind"]
    )
    router.answers["ImportInstruments"] = [
        pb.ImportInstrumentsResponse(instruments=[line], updated_count=1, backup_id="B1")
    ]
    router.answers["ExportInstruments"] = [pb.ExportInstrumentsResponse(csv="instrument_id\nACME\n", count=1)]
    backup = pb.InstrumentBackup(backup_id="B1", count=22, reason="before")
    router.answers["ListInstrumentBackups"] = [pb.ListInstrumentBackupsResponse(backups=[backup])]
    router.answers["GetInstrumentBackup"] = [
        pb.GetInstrumentBackupResponse(backup=pb.InstrumentBackup(backup_id="B1", csv="a,b\n"))
    ]


async def test_what_both_clients_ask_for_instruments(router: FakeRouter, target: str) -> None:
    for _ in range(2):
        fill_answers(router)
        with Client(target, retry=QUICK) as client:
            assert client.create_instrument("ACME", reason="why", **TERMS) == ETAGGED
            assert client.update_instrument("ACME", reason="why", etag="e0", halted=False) == ETAGGED
            assert client.delete_instrument("ACME", reason="why", etag="e0") == ETAGGED
            assert client.delete_instrument("ACME", reason="why") is None
            assert client.import_instruments("a", reason="why", delete_missing=True).backup_id == "B1"
            assert client.import_instruments(backup_id="B1", validate_only=True).updated_count == 1
            assert client.export_instruments() == "instrument_id\nACME\n"
            assert [backup.count for backup in client.list_instrument_backups()] == [22]
            assert client.get_instrument_backup("B1").csv == "a,b\n"
        asked = {name: list(requests) for name, requests in router.received.items()}
        router.received.clear()
        fill_answers(router)
        async with AsyncClient(target, retry=QUICK) as awaited:
            assert await awaited.create_instrument("ACME", reason="why", **TERMS) == ETAGGED
            assert await awaited.update_instrument("ACME", reason="why", etag="e0", halted=False) == ETAGGED
            assert await awaited.delete_instrument("ACME", reason="why", etag="e0") == ETAGGED
            assert await awaited.delete_instrument("ACME", reason="why") is None
            assert (
                await awaited.import_instruments("a", reason="why", delete_missing=True)
            ).backup_id == "B1"
            assert (await awaited.import_instruments(backup_id="B1", validate_only=True)).updated_count == 1
            assert await awaited.export_instruments() == "instrument_id\nACME\n"
            assert [backup.count async for backup in awaited.list_instrument_backups()] == [22]
            assert (await awaited.get_instrument_backup("B1")).csv == "a,b\n"
        assert {name: list(requests) for name, requests in router.received.items()} == asked
        assert asked["CreateInstrument"] == [pb.CreateInstrumentRequest(instrument=MADE, reason="why")]
        (update,) = asked["UpdateInstrument"]
        assert (list(update.update_mask.paths), update.instrument.etag) == (["halted"], "e0")
        router.received.clear()


def test_a_text_or_a_backup_is_imported_and_not_both(client: Client) -> None:
    with pytest.raises(BadValue, match="csv, backup_id"):
        client.import_instruments("a", backup_id="B1")


def test_an_instrument_is_made_changed_halted_and_forgotten(router: FakeRouter, cli: Cli) -> None:
    fill_answers(router)
    terms = (
        *("symbol=ACM", "tick_size=0.01", "halted=true", "multiplier=", "tick_table=0:0.0001;1:0.01"),
        *("shorting=locate", "order_types=limit", "max_reference_age=300"),
    )

    assert cli("instrument", "create", "ACME", *terms, "--reason", "why") == 0
    assert "etag" in cli.out
    assert "e1" in cli.out
    assert cli("instrument", "update", "ACME", "kind=", "--reason", "why", "--etag", "e0") == 0
    assert cli("instrument", "halt", "ACME", "--reason", "why") == 0
    assert cli("instrument", "resume", "ACME", "--reason", "why") == 0
    assert cli("instrument", "delete", "ACME", "--reason", "why") == 0

    assert router.received["CreateInstrument"] == [pb.CreateInstrumentRequest(instrument=MADE, reason="why")]
    kind, halt, resume = router.received["UpdateInstrument"]
    assert (list(kind.update_mask.paths), kind.instrument.etag) == (["kind"], "e0")
    assert (list(halt.update_mask.paths), halt.instrument.halted) == (["halted"], True)
    assert (list(resume.update_mask.paths), resume.instrument.halted) == (["halted"], False)


@pytest.mark.parametrize(
    "terms",
    [
        "tick_size",
        "tick=1",
        "halted=maybe",
        "shorting=x",
        "order_types=PEGGED",
        "tick_table=1",
        "max_reference_age=x",
    ],
)
def test_terms_that_are_wrong_are_one_line(router: FakeRouter, cli: Cli, terms: str) -> None:
    assert cli("instrument", "update", "ACME", terms, "--reason", "why") == 2
    assert cli.err.count("\n") == 1
    assert router.received["UpdateInstrument"] == []


def test_an_import_shows_what_became_of_each_line_and_how_to_take_it_back(
    router: FakeRouter, cli: Cli, tmp_path: Path
) -> None:
    fill_answers(router)
    file = tmp_path / "universe.csv"
    file.write_text("\ufeffinstrument_id\nACME\n", "utf-8")

    assert cli("instrument", "import", str(file), "--reason", "why") == 0

    assert cli.out.splitlines()[1].split() == ["2", "ACME", "updated", "halted", "kind"]
    assert "fairlead instrument import --backup B1" in cli.err
    assert router.received["ImportInstruments"][0].csv == "instrument_id\nACME\n"
    assert cli("instrument", "import", "--backup", "B1", "--reason", "why") == 0
    assert router.received["ImportInstruments"][1].delete_missing


def test_a_dry_run_that_finds_something_wrong_is_2(router: FakeRouter, cli: Cli, tmp_path: Path) -> None:
    problems = [
        pb.ImportProblem(line=3, column="tick_size", problem="must be above zero"),
        pb.ImportProblem(line=9, problem="is not CSV"),
    ]
    router.answers["ImportInstruments"] = [pb.ImportInstrumentsResponse(problems=problems)]
    file = tmp_path / "universe.csv"
    file.write_text("x")

    assert cli("instrument", "import", str(file), "--dry-run") == 2

    assert cli.err == "fairlead: line 3: tick_size: must be above zero\nfairlead: line 9: is not CSV\n"


@pytest.mark.parametrize("source", [(), ("nowhere.csv",), ("nowhere.csv", "--backup", "B1")])
def test_an_import_of_nothing_is_one_line_and_2(cli: Cli, source: tuple[str, ...]) -> None:
    assert cli("instrument", "import", *source) == 2
    assert cli.err.count("\n") == 1


def test_an_export_and_backups(router: FakeRouter, cli: Cli) -> None:
    fill_answers(router)

    assert cli("instrument", "export") == 0
    assert cli.out == "instrument_id\nACME\n"
    assert cli("instrument", "backups") == 0
    assert cli.out.splitlines()[1].split() == ["B1", "22", "before"]
    assert cli("instrument", "backups", "B1") == 0
    assert cli.out == "a,b\n"


def test_all_that_is_known_of_one(router: FakeRouter, cli: Cli) -> None:
    whole = pb.Instrument(origin=pb.INSTRUMENT_ORIGIN_CHANGED, etag="e1", changed_columns=["halted", "kind"])
    whole.MergeFrom(MADE)
    router.answers["GetInstrument"] = [pb.GetInstrumentResponse(instrument=whole)]

    assert cli("instrument", "show", "ACME") == 0

    facts = dict(line.rstrip().split(maxsplit=1) for line in cli.out.splitlines()[1:])
    assert facts["tick_table"] == "0:0.0001;1:0.01"
    assert facts["max_reference_age"] == "300 s"
    assert facts["changed"] == "halted kind"
    assert facts["origin"] == "changed"
    assert "margin_rate" not in facts
