"""Which of several states holds for an order, and what each of them lets pass."""

from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.domain.exposure import Exposure
from fairlead_server.domain.order import Order
from fairlead_server.domain.risk import examine_new
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.domain.terms import Side
from fairlead_server.domain.trading_state import Halt, Halts, TradingState, selection_of

from tests.domain.builders import NOW, new_order, proposal, terms, working_order

ORDER = Scope("ACC1", "", "ACME", "S1", "BROKER")
ACTIVE, REDUCE_ONLY, PAUSED, KILLED = TradingState


def halt(scope: Scope, state: TradingState = PAUSED, number: int = 1) -> Halt:
    return Halt(number, scope, state, NOW, "ann", "why", f"R{number}")


def test_where_nothing_is_set_everything_may_trade() -> None:
    assert not Halts()
    assert Halts().over(ORDER) is None


@pytest.mark.parametrize(
    ("scope", "held"),
    [
        (EVERYTHING, True),
        (Scope("ACC1"), True),
        (Scope("ACC2"), False),
        (Scope(strategy_id="S1"), True),
        (Scope(instrument_id="ACME"), True),
        (Scope(session_id="BROKER"), True),
        (Scope(session_id="OTHER"), False),
        (Scope("ACC1", strategy_id="S1"), True),
        (Scope("ACC1", strategy_id="S2"), False),
        (Scope("ACC1", "", "ACME", "S1", "BROKER"), True),
    ],
)
def test_a_scope_holds_what_agrees_with_all_that_it_names(scope: Scope, held: bool) -> None:
    found = Halts([halt(scope)]).over(ORDER)
    assert (found == halt(scope)) is held
    assert selection_of(scope).matches(named_as(ORDER)) is held


def named_as(scope: Scope) -> Order:
    new = new_order(
        account_id=scope.account_id, instrument_id=scope.instrument_id, strategy_id=scope.strategy_id
    )
    return working_order(new)


def test_the_strictest_of_those_that_hold_it_counts() -> None:
    halts = Halts(
        [halt(EVERYTHING, REDUCE_ONLY), halt(Scope("ACC1"), KILLED, 2), halt(Scope("ACC2"), KILLED, 3)]
    )
    halts.put(halt(Scope(instrument_id="ACME"), PAUSED, 4))
    found = halts.over(ORDER)
    assert found is not None
    assert found.number == 2
    assert [each.number for each in halts] == [1, 4, 2, 3]  # the widest first, then by name


def test_the_latest_word_on_a_scope_takes_the_place_of_the_one_before() -> None:
    halts = Halts([halt(EVERYTHING), halt(EVERYTHING, REDUCE_ONLY, 2)])
    assert halts.of(EVERYTHING) == halt(EVERYTHING, REDUCE_ONLY, 2)
    halts.put(halt(EVERYTHING, ACTIVE, 3))
    assert not halts
    assert halts.of(EVERYTHING) is None
    assert halts.over(ORDER) is None


def test_of_kills_an_order_has_all_that_hold_it() -> None:
    kills = [halt(EVERYTHING, KILLED), halt(Scope("ACC1"), KILLED, 2)]
    halts = Halts([*kills, halt(Scope("ACC1", "", "ACME"), PAUSED, 3), halt(Scope("ACC2"), KILLED, 4)])
    assert halts.kills(working_order()) == kills
    assert Halts().kills(working_order()) == []


def test_reduce_only_counts_what_works_on_the_same_side() -> None:
    own = halt(EVERYTHING, REDUCE_ONLY)
    for quantity, position, selling, passes in [
        (100, 100, 0, True),
        (60, 100, 40, True),
        (61, 100, 40, False),
    ]:
        new = new_order(side=Side.SELL, terms=terms(quantity))
        exposure = Exposure(Decimal(position), selling=Decimal(selling))
        asked = proposal(new=new, exposure=exposure, halt=own)
        assert ([b.rule_id for b in examine_new(asked).breaches] == []) is passes
