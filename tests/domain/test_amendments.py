"""An amend names what changes; the rest of the terms stay."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.domain.amendments import Amendment, MassCancel, RequestOutcome, RequestRecord, Selection
from fairlead_server.domain.order import Terminal
from fairlead_server.domain.reconciliation import Ruling, Verdict
from fairlead_server.domain.terms import Side, Terms, TimeInForce
from msgspec.structs import fields, replace

from tests.domain.builders import LATER, NOW, new_order, sent_order, terms

GTD = terms(
    stop_price=Decimal(49), display_quantity=Decimal(10), time_in_force=TimeInForce.GTD, expire_time=NOW
)


def test_an_amend_may_change_exactly_the_terms() -> None:
    assert [f.name for f in fields(Amendment)] == [f.name for f in fields(Terms)]


def test_what_an_amend_leaves_out_stays() -> None:
    assert Amendment().applied_to(GTD) == GTD
    assert Amendment(price=Decimal(51)).applied_to(GTD) == replace(GTD, price=Decimal(51))
    assert Amendment(quantity=Decimal(0)).applied_to(GTD) == replace(GTD, quantity=Decimal(0))


def test_an_amend_may_change_everything_at_once() -> None:
    wanted = terms(
        200,
        51,
        stop_price=Decimal(52),
        display_quantity=Decimal(20),
        time_in_force=TimeInForce.GTD,
        expire_time=LATER,
    )
    every = Amendment(**{f.name: getattr(wanted, f.name) for f in fields(Amendment)})

    assert every.applied_to(GTD) == wanted


def test_an_expire_time_ends_with_the_time_in_force_that_it_belonged_to() -> None:
    assert Amendment(time_in_force=TimeInForce.DAY).applied_to(GTD).expire_time is None
    assert Amendment(time_in_force=TimeInForce.GTD).applied_to(GTD).expire_time == NOW
    assert Amendment(time_in_force=TimeInForce.DAY, expire_time=LATER).applied_to(GTD).expire_time == LATER


def test_a_request_is_repeated_by_the_same_wish_for_the_same_order() -> None:
    amend = RequestRecord("r1", "O1", NOW, Amendment(price=Decimal(51)), RequestOutcome.PENDING)
    cancel = RequestRecord("r2", "O1", NOW, None, RequestOutcome.PENDING)

    assert amend.repeats("O1", Amendment(price=Decimal("51.00")))
    assert not amend.repeats("O2", Amendment(price=Decimal(51)))
    assert not amend.repeats("O1", Amendment(price=Decimal(52)))
    assert not amend.repeats("O1", None)
    assert cancel.repeats("O1", None)
    assert not cancel.repeats("O1", Amendment())


def test_a_ruling_is_repeated_by_the_same_ruling() -> None:
    ruling = Ruling(Verdict.CANCELED, "the broker said so", "T-1")
    record = RequestRecord("r3", "O1", NOW, None, RequestOutcome.DONE, ruling=ruling)

    assert record.repeats("O1", replace(ruling))
    assert not record.repeats("O1", replace(ruling, ticket="T-2"))
    assert not record.repeats("O1", None)


@pytest.mark.parametrize(
    ("selection", "matches"),
    [
        (Selection(), True),
        (Selection("ACC1"), True),
        (Selection("ACC2"), False),
        (Selection(instrument_ids=("ACME", "FAR")), True),
        (Selection(instrument_ids=("FAR",)), False),
        (Selection(strategy_ids=("S1",)), True),
        (Selection(strategy_ids=("S2",)), False),
        (Selection(session_ids=("BROKER",)), True),
        (Selection(session_ids=("OTHER",)), False),
        (Selection(side=Side.BUY), True),
        (Selection(side=Side.SELL), False),
        (Selection(trade_session="T1"), False),
        (Selection("ACC1", ("ACME",), ("S1",), ("BROKER",), Side.SELL), False),
    ],
    ids=str,
)
def test_an_order_is_selected_that_passes_every_part_that_is_set(selection: Selection, matches: bool) -> None:
    order = sent_order(new_order(strategy_id="S1"))

    assert selection.matches(order) is matches


def test_an_order_that_has_ended_is_not_selected() -> None:
    assert not Selection().matches(sent_order().next(LATER, terminal=Terminal.EXPIRED))


def test_a_mass_cancel_has_matched_what_it_came_to() -> None:
    assert MassCancel("r1", "M1", NOW, Selection(), requested=3, canceled=2, pending=1).matched == 6
