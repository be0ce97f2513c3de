"""What a scope takes in, and which of two is the narrower."""

from __future__ import annotations

import pytest
from fairlead_server.domain.scope import EVERYTHING, Scope

ORDER = Scope("ACC-1", "algo", "AAPL", "momentum", "BROKER")


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        (EVERYTHING, True),
        (Scope(account_id="ACC-1"), True),
        (Scope(account_id="ACC-2"), False),
        (Scope(account_id="ACC-1", instrument_id="AAPL"), True),
        (Scope(account_id="ACC-1", instrument_id="MSFT"), False),
        (Scope(principal="algo", strategy_id="momentum", session_id="BROKER"), True),
        (ORDER, True),
    ],
)
def test_an_order_belongs_where_it_agrees_in_every_dimension_that_is_named(
    scope: Scope, *, held: bool
) -> None:
    assert scope.holds(ORDER) is held


def test_what_names_a_dimension_does_not_hold_what_leaves_it_open() -> None:
    assert not Scope(account_id="ACC-1").holds(EVERYTHING)


def test_the_narrower_scope_names_more() -> None:
    assert [s.specificity for s in (EVERYTHING, Scope(strategy_id="a"), Scope("a", instrument_id="b"))] == [
        0,
        1,
        2,
    ]


def test_a_scope_tells_what_it_is_about() -> None:
    assert str(EVERYTHING) == "everything"
    assert str(Scope("ACC-1", instrument_id="AAPL")) == "account_id=ACC-1 instrument_id=AAPL"
