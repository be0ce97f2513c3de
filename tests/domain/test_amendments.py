"""An amend names what changes; the rest of the terms stay."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal

from fairlead_server.domain.amendments import Amendment, RequestOutcome, RequestRecord
from fairlead_server.domain.terms import Terms, TimeInForce

from tests.domain.builders import LATER, NOW, terms

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
