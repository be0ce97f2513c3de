"""Instruments by RPC: made, changed, forgotten, imported and exported; what is refused says which field and why."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from fairlead.v1 import reference_service_pb2 as pb
from fairlead.v1.common_pb2 import ORDER_STATE_REJECTED, ORDER_TYPE_LIMIT, TIME_IN_FORCE_DAY
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2

from tests.api.refusals import refused
from tests.api.router import Router, new_order

Code = grpc.StatusCode
WHY = {"reason": "asked for by the desk"}
OTHER = pb.Instrument(instrument_id="OTHER", symbol="OTH", currency="USD", tick_size="0.01", lot_size="1")
WHOLE = pb.Instrument(
    instrument_id="WHOLE",
    symbol="WHO",
    currency="EUR",
    tick_size="0.01",
    lot_size="10",
    min_quantity="20",
    calendar_id="",
    kind="future",
    multiplier="50",
    tick_table=[
        pb.TickBand(begin_price="0", tick_size="0.0001"),
        pb.TickBand(begin_price="1", tick_size="0.01"),
    ],
    shorting=pb.SHORTING_LOCATE,
    short_sale_restricted=True,
    average_daily_volume="1000000",
    order_types=[ORDER_TYPE_LIMIT],
    times_in_force=[TIME_IN_FORCE_DAY],
    margin_rate="0.05",
    max_reference_age=Duration(seconds=300),
)


async def create(router: Router, instrument: pb.Instrument) -> pb.Instrument:
    request = pb.CreateInstrumentRequest(instrument=instrument, **WHY)
    return (await router.reference.CreateInstrument(request)).instrument


async def update(router: Router, *paths: str, **fields: Any) -> pb.Instrument:
    instrument = pb.Instrument(**{"instrument_id": "ACME", **fields})
    mask = FieldMask(paths=paths)
    request = pb.UpdateInstrumentRequest(instrument=instrument, update_mask=mask, **WHY)
    return (await router.reference.UpdateInstrument(request)).instrument


async def delete(router: Router, name: str, etag: str = "") -> pb.DeleteInstrumentResponse:
    return await router.reference.DeleteInstrument(
        pb.DeleteInstrumentRequest(instrument_id=name, etag=etag, **WHY)
    )


async def take(router: Router, *lines: str, **options: Any) -> pb.ImportInstrumentsResponse:
    source = {"csv": "\r\n".join(lines)} if lines else {}
    return await router.reference.ImportInstruments(
        pb.ImportInstrumentsRequest(**{**source, **WHY, **options})
    )


async def get(router: Router, name: str) -> pb.Instrument:
    return (await router.reference.GetInstrument(pb.GetInstrumentRequest(instrument_id=name))).instrument


async def test_an_instrument_comes_back_as_it_was_made(router: Router) -> None:
    made = await create(router, WHOLE)

    assert made == await get(router, "WHOLE")
    assert made.etag
    assert made.origin == pb.INSTRUMENT_ORIGIN_MADE
    made.ClearField("etag")
    made.ClearField("origin")
    assert made == WHOLE


async def test_what_is_left_out_is_the_default(router: Router) -> None:
    made = await create(router, OTHER)

    assert (made.min_quantity, made.multiplier, made.shorting) == ("1", "1", pb.SHORTING_ALLOWED)
    assert not made.HasField("max_reference_age")


async def test_what_it_says_can_be_written_back(router: Router) -> None:
    """Whoever reads, changes one thing and writes, changes that alone."""
    seen = await create(router, WHOLE)
    seen.halted = True

    request = pb.UpdateInstrumentRequest(instrument=seen, update_mask=FieldMask(paths=["halted"]), **WHY)
    changed = (await router.reference.UpdateInstrument(request)).instrument

    seen.etag = changed.etag
    assert changed == seen


async def test_a_halt_stops_trading_and_tells_whose_it_is(router: Router) -> None:
    seen = await get(router, "ACME")
    assert (seen.origin, list(seen.changed_columns)) == (pb.INSTRUMENT_ORIGIN_FILE, [])

    halted = await update(router, "halted", halted=True, etag=seen.etag)

    assert (halted.halted, halted.origin) == (True, pb.INSTRUMENT_ORIGIN_CHANGED)
    assert list(halted.changed_columns) == ["halted"]
    answer = await router.orders.SubmitOrder(new_order())
    assert answer.order.state == ORDER_STATE_REJECTED
    assert answer.order.reject.rule_id == "instrument_halted"
    (row,) = router.app._store.audit("ACME", 9)
    assert (row.action, row.reason, row.after) == (
        "instrument.update",
        "asked for by the desk",
        "halted=true",
    )

    refusal = await refused(update(router, "halted", etag=seen.etag))
    assert (refusal.code, refusal.reason) == (Code.ABORTED, "ETAG_MISMATCH")
    assert refusal.facts == {
        "kind": "instrument",
        "name": "ACME",
        "expected": seen.etag,
        "actual": halted.etag,
    }
    assert (await update(router, "halted", etag=halted.etag)).halted is False


async def test_a_field_of_the_mask_that_is_not_set_is_its_default(router: Router) -> None:
    await create(router, WHOLE)

    changed = await update(router, "kind", "tick_table", "max_reference_age", instrument_id="WHOLE")

    assert (changed.kind, list(changed.tick_table)) == ("", [])
    assert not changed.HasField("max_reference_age")
    assert changed.multiplier == "50"


@pytest.mark.parametrize(
    ("paths", "fields", "wrong"),
    [
        ((), {}, ["update_mask"]),
        (("Halted",), {}, ["update_mask"]),
        (("etag",), {}, ["update_mask"]),
        (("halted",), {"instrument_id": ""}, ["instrument.instrument_id"]),
        (("tick_size",), {"tick_size": "-1"}, ["instrument.tick_size"]),
        (("tick_size",), {}, ["instrument.tick_size"]),
        (("calendar_id",), {"calendar_id": "NYSE"}, ["instrument.calendar_id"]),
        (("shorting",), {"shorting": 9}, ["instrument.shorting"]),
        (("currency",), {"currency": "usd"}, ["instrument.currency"]),
        (
            ("max_reference_age",),
            {"max_reference_age": Duration(nanos=5)},
            ["instrument.max_reference_age"],
        ),
        (
            ("tick_table",),
            {"tick_table": [pb.TickBand(begin_price="1", tick_size="x")]},
            ["instrument.tick_table"],
        ),
    ],
)
async def test_what_is_wrong_is_named_by_its_field(
    router: Router, paths: tuple[str, ...], fields: dict[str, Any], wrong: list[str]
) -> None:
    refusal = await refused(update(router, *paths, **fields))

    assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "REQUEST_INVALID")
    assert refusal.fields == wrong


async def test_a_name_is_given_once(router: Router) -> None:
    await create(router, OTHER)
    assert (await create(router, OTHER)).symbol == "OTH"

    other = pb.Instrument(instrument_id="THIRD", symbol="OTH", currency="USD", tick_size="1", lot_size="1")
    refusal = await refused(create(router, other))

    assert (refusal.code, refusal.reason) == (Code.ALREADY_EXISTS, "INSTRUMENT_EXISTS")
    assert refusal.facts == {"instrument_id": "THIRD", "owner": "OTHER", "symbol": "OTH"}


async def test_one_that_is_traded_is_not_taken_away(router: Router) -> None:
    await create(router, OTHER)
    assert not (await delete(router, "OTHER")).HasField("instrument")
    refusal = await refused(get(router, "OTHER"))
    assert refusal.reason == "INSTRUMENT_NOT_FOUND"

    refusal = await refused(delete(router, "ACME"))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "INSTRUMENT_CONFIGURED")
    await router.working()
    refusal = await refused(update(router, "multiplier", multiplier="10"))
    assert (refusal.code, refusal.reason) == (Code.FAILED_PRECONDITION, "INSTRUMENT_IN_USE")


# CSV.

HEAD = "instrument_id,symbol,currency,tick_size,lot_size,halted"


async def test_what_is_exported_is_imported_unchanged(router: Router) -> None:
    await create(router, WHOLE)
    exported = await router.reference.ExportInstruments(pb.ExportInstrumentsRequest())
    assert exported.count == 4

    done = await take(router, csv=exported.csv)

    assert (done.unchanged_count, done.backup_id) == (4, "")


async def test_a_dry_run_says_what_an_import_would_do_and_what_is_wrong(router: Router) -> None:
    lines = (HEAD, "ACME,ACME,USD,0.05,1,true", "OTHER,OTH,USD,0.01,1,", "BAD,BAD,USD,0,1,")

    done = await take(router, *lines, validate_only=True, reason="")

    assert [(i.line, i.instrument_id, i.outcome, list(i.columns)) for i in done.instruments] == [
        (2, "ACME", pb.IMPORT_OUTCOME_UPDATED, ["halted"]),
        (
            3,
            "OTHER",
            pb.IMPORT_OUTCOME_CREATED,
            ["instrument_id", "symbol", "currency", "tick_size", "lot_size"],
        ),
    ]
    assert done.problems == [pb.ImportProblem(line=4, column="tick_size", problem="must be above zero")]
    assert (done.created_count, done.updated_count, done.backup_id) == (1, 1, "")
    assert not (await get(router, "ACME")).halted

    refusal = await refused(take(router, *lines))
    assert (refusal.code, refusal.reason) == (Code.INVALID_ARGUMENT, "INSTRUMENTS_INVALID")
    assert refusal.facts == {
        "line": "4",
        "column": "tick_size",
        "problem": "must be above zero",
        "problems": "1",
    }
    assert refusal.fields == ["csv:4:tick_size"]
    assert not (await get(router, "ACME")).halted


async def test_an_import_can_be_taken_back(router: Router) -> None:
    before = await get(router, "ACME")
    done = await take(router, HEAD, "ACME,ACME,USD,0.05,1,true", "OTHER,OTH,USD,0.01,1,")
    assert (await get(router, "ACME")).halted
    listed = await router.reference.ListInstrumentBackups(pb.ListInstrumentBackupsRequest())
    assert [(b.backup_id, b.count, b.reason, b.csv) for b in listed.backups] == [
        (done.backup_id, 3, "asked for by the desk", "")
    ]
    kept = await router.reference.GetInstrumentBackup(pb.GetInstrumentBackupRequest(backup_id=done.backup_id))
    assert kept.backup.csv.startswith("instrument_id,symbol,")

    restored = await take(router, backup_id=done.backup_id, delete_missing=True)

    assert (restored.updated_count, restored.deleted_count) == (1, 1)
    after = await get(router, "ACME")
    assert (after.etag, after.origin) == (before.etag, pb.INSTRUMENT_ORIGIN_FILE)
    assert (await refused(get(router, "OTHER"))).reason == "INSTRUMENT_NOT_FOUND"


async def test_backups_come_in_pages(router: Router) -> None:
    first = await take(router, HEAD, "ACME,ACME,USD,0.05,1,true")
    second = await take(router, HEAD, "ACME,ACME,USD,0.05,1,")
    ask = pb.ListInstrumentBackupsRequest(page_size=1)

    newest = await router.reference.ListInstrumentBackups(ask)
    ask.page_token = newest.next_page_token
    oldest = await router.reference.ListInstrumentBackups(ask)

    assert [b.backup_id for b in (*newest.backups, *oldest.backups)] == [second.backup_id, first.backup_id]
    assert oldest.next_page_token == ""


@pytest.mark.parametrize(
    ("options", "reason", "detail"),
    [
        ({}, "REQUEST_INVALID", ["source"]),
        ({"csv": "x", "reason": ""}, "REQUEST_INVALID", ["reason"]),
        ({"csv": "a\x00b"}, "REQUEST_INVALID", ["csv"]),
        ({"csv": "x" * (1 << 20) + "x"}, "REQUEST_INVALID", ["csv"]),
        ({"csv": "\ufeff"}, "INSTRUMENTS_INVALID", ["csv:1:instrument_id"]),
        ({"backup_id": "nothing"}, "BACKUP_NOT_FOUND", None),
    ],
)
async def test_imports_that_are_refused(
    router: Router, options: dict[str, Any], reason: str, detail: list[str] | None
) -> None:
    refusal = await refused(take(router, **options))

    assert refusal.reason == reason
    assert detail is None or refusal.fields == detail
    assert refusal.detail(error_details_pb2.ErrorInfo).domain == "fairlead"
