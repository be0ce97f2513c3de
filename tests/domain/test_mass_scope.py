"""When one OrderMassCancelRequest(q) is exactly what was asked for, and when it would take too much with it."""

from __future__ import annotations

from typing import Any

import pytest
from fairlead_server.domain.amendments import Selection
from fairlead_server.domain.mass_scope import MassScope, is_exact, scope_of
from fairlead_server.domain.order import Order, pending_new
from fairlead_server.domain.terms import Side
from msgspec.structs import replace

from tests.domain.builders import NOW, canceling, new_order, sent_order

ALL = MassScope()


def order(name: str, symbol: str = "ACME", side: Side = Side.BUY, **changes: Any) -> Order:
    sent = sent_order(new_order(client_order_id=name, side=side, instrument_id=symbol, **changes))
    return replace(sent, order_id=name, symbol=symbol)


@pytest.mark.parametrize(
    ("selection", "scope"),
    [
        (Selection(), ALL),
        (Selection(session_ids=("BROKER",)), ALL),
        (Selection(side=Side.SELL), MassScope(side=Side.SELL)),
        (Selection(instrument_ids=("ACME", "OTHER")), MassScope("ACME")),
        (Selection(instrument_ids=("ACME",), side=Side.BUY), MassScope("ACME", Side.BUY)),
        (Selection("ACC1"), None),
        (Selection(strategy_ids=("S1",)), None),
        (Selection(trade_session="T1"), None),
        (Selection("ACC1", instrument_ids=("ACME",)), None),
    ],
)
def test_a_q_says_symbol_and_side_and_nothing_else(selection: Selection, scope: MassScope | None) -> None:
    assert scope_of(selection, order("A")) == scope


def test_an_order_whose_symbol_nobody_knows_is_reached_by_no_symbol() -> None:
    assert scope_of(Selection(instrument_ids=("",)), order("A", symbol="")) is None


def test_it_is_exact_where_it_reaches_what_is_meant_and_no_more() -> None:
    ours, other = order("A"), order("B", symbol="OTHER")

    assert is_exact(MassScope("ACME"), Selection(instrument_ids=("ACME",)), {"A"}, [ours, other])
    assert not is_exact(ALL, Selection(), {"A"}, [ours, other])


def test_an_order_that_is_being_cancelled_is_no_obstacle_if_it_was_meant_too() -> None:
    ours, before = order("A"), canceling(order("B", symbol="OTHER"))

    assert is_exact(ALL, Selection(), {"A"}, [ours, before])
    assert not is_exact(ALL, Selection(instrument_ids=("ACME",)), {"A"}, [ours, before])


def test_an_order_that_was_never_sent_is_out_of_its_reach() -> None:
    held = pending_new("H", new_order(client_order_id="H"), "ACME", NOW, "BROKER")

    assert is_exact(ALL, Selection(), {"A"}, [order("A"), held])


@pytest.mark.parametrize("short", [Side.SELL_SHORT, Side.SELL_SHORT_EXEMPT])
def test_a_side_may_be_taken_for_the_side_of_the_market(short: Side) -> None:
    selling, shorting, buying = order("A", side=Side.SELL), order("B", side=short), order("C")

    assert is_exact(MassScope(side=Side.SELL), Selection(side=Side.SELL), {"A"}, [selling, buying])
    assert not is_exact(MassScope(side=Side.SELL), Selection(side=Side.SELL), {"A"}, [selling, shorting])
    assert not is_exact(MassScope(side=short), Selection(side=short), {"B"}, [selling, shorting])
    assert is_exact(MassScope(side=Side.BUY), Selection(side=Side.BUY), {"C"}, [selling, shorting, buying])
