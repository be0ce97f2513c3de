from __future__ import annotations

from decimal import Decimal

import pytest
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.event import EventKind
from fairlead_server.domain.live_gate import LiveState
from fairlead_server.domain.order import ZERO, Terminal
from fairlead_server.domain.position import FLAT, DayTotal, Position
from fairlead_server.domain.terms import Side
from fairlead_server.domain.trading_state import TradingState
from fairlead_server.fix.terms import Numbers
from fairlead_server.store import lever_tables, tables
from fairlead_server.store.batch import Batch, Direction
from fairlead_server.store.database import Store, StoreError
from fairlead_server.store.keys import client_key
from msgspec.structs import astuple, replace
from sqlalchemy import Table, select

from tests.domain.builders import NOW
from tests.store.facts import (
    HOLDING,
    SESSION,
    audited,
    dead_man,
    decision,
    event,
    execution,
    flatten,
    halt,
    limit_set,
    live_gate,
    mass_cancel,
    message,
    order,
    orders,
    position,
    request,
    risk_event,
    trade_session,
    traded,
    whole,
)


def rows(store: Store, table: Table, *left_out: str) -> list[tuple[object, ...]]:
    """What whoever reads by the tables' own types gets; the owner's columns have only their defaults."""
    hidden = {"shard", "lease_epoch", *left_out}
    with store._reading() as connection:
        key = table.primary_key.columns
        found = connection.execute(select(*(c for c in table.columns if c.name not in hidden)).order_by(*key))
        return [tuple(row) for row in found]


def test_every_column_of_an_order_is_read_as_it_was_written(store: Store) -> None:
    placed = order(1, strategy_id="S1", instrument_id="ACME", account_id="ACC2")
    placed = placed.next(NOW, venue_order_id="V1", acked=True)

    store.commit(orders(placed))

    key = client_key("ACC2", "client-1")
    identity = ("O0001", "ACC2", "client-1", key, "ACME", "S1", SESSION, "V1")
    assert rows(store, tables.orders) == [
        (*identity, placed.state, 1, placed.version, placed.create_time, placed)
    ]


def test_every_column_of_the_other_tables_is_read_as_it_was_written(store: Store) -> None:
    store.commit(whole(1))

    sent, received = message(1), message(1, Direction.IN)
    said, asked = decision(1), request(1)
    assert rows(store, tables.cl_ord_ids) == [(SESSION, "C0001", "O0001")]
    assert rows(store, tables.events) == [astuple(event(1))]
    assert rows(store, tables.executions) == [astuple(execution(1))]
    assert rows(store, tables.decisions, "decision_id") == [
        ("O0001", "", said.time, False, said.breaches, "sha256", tables.Results(said.noted, said.measures))
    ]
    assert rows(store, tables.requests) == [("R1", "O0001", asked.time, RequestOutcome.PENDING, asked)]
    swept = mass_cancel(1)
    assert rows(store, tables.mass_cancels) == [("M1", "MC1", swept.time, swept)]
    armed = trade_session(1)
    assert rows(store, tables.trade_sessions) == [("T1", True, armed.time, armed)]
    assert rows(store, tables.positions) == [(*HOLDING, Decimal(1), position(1))]
    assert rows(store, tables.trades) == [
        (*HOLDING, 1, SESSION, NOW.date(), NOW, Decimal(1), Decimal("1.50"), FLAT)
    ]
    assert rows(store, tables.day_totals) == [
        (NOW.date(), *HOLDING, SESSION, 1, 0, ZERO, ZERO, ZERO, ZERO, Decimal("0.10"))
    ]
    switch = dead_man(1)
    assert rows(store, lever_tables.dead_men) == [("account_id=ACC1", True, switch.time, switch)]
    gate = live_gate(1)
    assert rows(store, lever_tables.live_gates) == [("account_id=ACC1", LiveState.LIVE, gate)]
    begun = flatten(1)
    assert rows(store, lever_tables.flattens) == [("F1", False, begun.time, begun)]
    paused = halt(1)
    row = (1, "account_id=ACC1", TradingState.PAUSED, "H1", paused.time, paused)
    assert rows(store, lever_tables.trading_states) == [row]
    assert rows(store, tables.sessions) == [(SESSION, 1, 2, 2)]
    assert rows(store, tables.messages, "message_id") == [astuple(sent), astuple(received)]
    assert rows(store, tables.counters) == [("cl_ord_id", 1)]
    assert rows(store, tables.stops) == [(SESSION, "stopped for the 1. time")]
    assert rows(store, tables.audit, "audit_id") == [astuple(audited(1))]
    limits, told = limit_set(1), risk_event(1)
    assert rows(store, tables.limit_sets) == [("L1", False, limits)]
    assert rows(store, tables.risk_events) == [(1, told.time, told.kind, "ACC1", told)]


@pytest.mark.parametrize("count", [1, 2, 3, 127, 128, 129, 300])
def test_any_number_of_rows_is_written_whole_and_in_order(store: Store, count: int) -> None:
    store.commit(whole(1, size=count))

    assert [row[0] for row in rows(store, tables.events)] == list(range(1, count + 1))
    assert len(rows(store, tables.messages)) == 2 * count
    assert len(rows(store, tables.orders)) == count


def test_what_has_a_last_value_takes_it(store: Store) -> None:
    placed, asked = order(1), request(1)
    ended = placed.next(NOW, terminal=Terminal.CANCELED, venue_order_id="V1")
    answered = replace(asked, outcome=RequestOutcome.DONE)

    store.commit(whole(1))
    store.commit(
        Batch(
            orders={"O0001": ended},
            requests={"R1": answered},
            positions={HOLDING: Position(Decimal("-1.50"))},
            trades={(*HOLDING, 1): replace(traded(1), quantity=ZERO)},
            day_totals={(NOW.date(), *HOLDING, SESSION): DayTotal(orders=4)},
            sessions={SESSION: Numbers(next_in=1, next_out=1, epoch=2)},
            counters={"cl_ord_id": 9},
        ),
    )

    assert [row[-1] for row in rows(store, tables.orders)] == [ended]
    assert [row[6:10] for row in rows(store, tables.orders)] == [(SESSION, "V1", ended.state, 0)]
    assert [row[-2:] for row in rows(store, tables.requests)] == [(RequestOutcome.DONE, answered)]
    assert [str(row[-2]) for row in rows(store, tables.positions)] == ["-1.50"]
    assert [row[-1] for row in rows(store, tables.positions)] == [Position(Decimal("-1.50"))]
    assert [row[7] for row in rows(store, tables.trades)] == [ZERO]
    assert [row[5] for row in rows(store, tables.day_totals)] == [4]
    assert rows(store, tables.sessions) == [(SESSION, 2, 1, 1)]
    assert rows(store, tables.counters) == [("cl_ord_id", 9)]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(Batch(new_cl_ord_ids={(SESSION, "C0001"): "O0002"}), id="a ClOrdID"),
        pytest.param(Batch(events=[event(1, event_id="another")]), id="the number of an event"),
        pytest.param(Batch(events=[event(2, event_id="E000001")]), id="the id of an event"),
        pytest.param(Batch(executions=[execution(1, execution_id="another")]), id="an execution"),
        pytest.param(Batch(messages=[message(1, frame=b"another")]), id="a number that went out"),
        pytest.param(orders(replace(order(1), order_id="O0003")), id="a client_order_id"),
    ],
)
def test_the_database_refuses_to_give_out_twice(store: Store, second: Batch) -> None:
    store.commit(whole(1))
    store.commit(orders(order(2)))
    before = store.load(NOW)

    with pytest.raises(StoreError, match="a fault of the program") as raised:
        store.commit(second)

    assert raised.value.is_fault_of_the_program
    assert store.load(NOW) == before


def test_a_value_that_does_not_fit_is_the_programs_fault_too(store: Store) -> None:
    """Some drivers say so themselves, before the database is asked."""
    with pytest.raises((StoreError, OverflowError)) as raised:
        store.commit(Batch(counters={"cl_ord_id": 2**70}))

    assert getattr(raised.value, "is_fault_of_the_program", isinstance(raised.value, OverflowError))
    store.commit(whole(1))


@pytest.mark.parametrize(
    "orphan",
    [
        Batch(new_cl_ord_ids={(SESSION, "C1"): "nobody"}),
        Batch(executions=[execution(1)]),
        Batch(decisions=[decision(1)]),
        Batch(requests={"R1": request(1)}),
    ],
)
def test_what_belongs_to_an_order_is_refused_without_it(store: Store, orphan: Batch) -> None:
    with pytest.raises(StoreError, match="a fault of the program"):
        store.commit(orphan)


def test_a_number_may_come_in_again_and_begin_anew_in_the_next_epoch(store: Store) -> None:
    repeated = message(1, Direction.IN)

    store.commit(Batch(messages=[message(1), repeated]))
    store.commit(Batch(messages=[repeated, message(1, epoch=2)]))

    assert len(rows(store, tables.messages)) == 4


def test_a_bust_may_carry_the_exec_id_of_its_fill(store: Store) -> None:
    bust = execution(1, execution_id="another", kind=EventKind.TRADE_BUSTED)

    store.commit(whole(1))
    store.commit(Batch(executions=[bust]))

    assert len(rows(store, tables.executions)) == 2


def test_orders_that_a_venue_told_of_have_no_client_order_id_and_do_not_clash(store: Store) -> None:
    external = [order(n, client_order_id="", side=Side.SELL) for n in (1, 2)]

    store.commit(orders(*external))

    assert store.load(NOW).orders == external
    assert len(store.load(NOW).client_keys) == 0
