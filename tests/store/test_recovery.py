from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from fairlead_server.domain.flatten import Stage
from fairlead_server.domain.order import Terminal
from fairlead_server.domain.position import DayTotal
from fairlead_server.domain.trading_state import TradingState
from fairlead_server.fix.terms import Numbers
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Store, open_store
from fairlead_server.store.keys import Keys, client_key, request_key

from tests.domain.builders import NOW
from tests.store.facts import (
    HOLDING,
    SECOND,
    SESSION,
    calendar,
    dead_man,
    flatten,
    halt,
    live_gate,
    mass_cancel,
    order,
    position,
    price,
    request,
    trade_session,
    whole,
)


def test_memory_is_rebuilt_from_what_was_committed_last(store: Store) -> None:
    store.commit(whole(1, size=3))
    store.commit(Batch(orders={"O0002": order(2).next(NOW, terminal=Terminal.CANCELED)}))

    snapshot = store.load(NOW)

    assert snapshot.head == 3
    assert snapshot.counters == {"cl_ord_id": 3}
    assert snapshot.orders == [order(1), order(3)]
    assert snapshot.request_keys == Keys(request_key(f"R{n}") for n in (1, 2, 3))
    assert snapshot.mass_cancels == [mass_cancel(1), mass_cancel(2), mass_cancel(3)]
    assert snapshot.trade_sessions == [trade_session(1), trade_session(2), trade_session(3)]
    assert snapshot.dead_men == [dead_man(1), dead_man(2), dead_man(3)]
    assert snapshot.live_gates == [live_gate(1), live_gate(2), live_gate(3)]
    assert snapshot.flattens == [flatten(1), flatten(2), flatten(3)]
    assert snapshot.halts == [halt(1), halt(2), halt(3)]
    assert snapshot.positions == [(HOLDING, position(3))]
    assert snapshot.day_totals == [
        ((NOW.date(), *HOLDING, SESSION), DayTotal(orders=3, realised=Decimal("0.10")))
    ]
    assert snapshot.sessions == {SESSION: Numbers(next_in=4, next_out=4)}
    assert snapshot.stopped == {SESSION: "stopped for the 3. time"}
    assert snapshot.client_keys == Keys(client_key("ACC1", f"client-{n}") for n in (1, 2, 3))
    assert snapshot.instruments == {f"I{n}": {"halted": "true", "symbol": f"S{n}"} for n in (1, 2, 3)}
    assert snapshot.prices == {f"I{n}": price(n) for n in (1, 2, 3)}
    assert sorted(snapshot.calendars, key=lambda one: one.calendar_id) == [calendar(n) for n in (1, 2, 3)]


def test_requests_are_remembered_for_a_day_and_found_for_ever(store: Store) -> None:
    store.commit(whole(1, size=2))

    tomorrow = request(1).time + timedelta(hours=24, microseconds=1)

    assert store.load(tomorrow).request_keys == Keys([request_key("R2")])
    assert store.load(tomorrow).mass_cancels == [mass_cancel(2)]
    assert store.request("R1") == request(1)
    assert store.request("R9") is None


def test_of_what_was_said_of_a_scope_the_latest_is_kept_and_all_of_a_day(store: Store) -> None:
    first, second = halt(1), halt(2, scope=halt(1).scope, state=TradingState.ACTIVE)
    store.commit(Batch(halts={1: first}))
    store.commit(Batch(halts={2: second, 3: halt(3)}))
    store.commit(Batch(halts={3: halt(3, sweeps=2)}))

    assert store.load(NOW).halts == [first, second, halt(3, sweeps=2)]
    assert store.load(NOW + timedelta(days=2)).halts == [second, halt(3, sweeps=2)]


def test_a_flatten_that_is_over_is_kept_for_a_day(store: Store) -> None:
    store.commit(Batch(flattens={"F1": flatten(1), "F2": flatten(2)}))
    store.commit(Batch(flattens={"F1": flatten(1, stage=Stage.FLAT)}))

    assert store.load(NOW).flattens == [flatten(1, stage=Stage.FLAT), flatten(2)]
    assert store.load(NOW + timedelta(days=2)).flattens == [flatten(2)]


def test_a_trade_session_that_is_over_is_not_armed(store: Store) -> None:
    store.commit(whole(1, size=2))
    store.commit(Batch(trade_sessions={"T1": trade_session(1, armed=False)}))

    assert store.load(NOW).trade_sessions == [trade_session(2)]


def test_what_is_as_the_configuration_says_again_is_not_kept(store: Store) -> None:
    store.commit(whole(1, size=2))
    store.commit(Batch(instruments={"I1": {}}, prices={"I1": None}, calendars={"C1": None}))

    snapshot = store.load(NOW)

    assert snapshot.instruments == {"I2": {"halted": "true", "symbol": "S2"}}
    assert snapshot.prices == {"I2": price(2)}
    assert snapshot.calendars == [calendar(2)]


def test_a_session_that_was_started_again_is_not_stopped(store: Store) -> None:
    store.commit(Batch(stopped={SESSION: "end of day", "OTHER": "holiday"}))
    store.commit(Batch(stopped={SESSION: ""}))

    assert store.load(NOW).stopped == {"OTHER": "holiday"}


def test_a_store_keeps_what_tells_it_from_others(kept_url: str) -> None:
    first, second = _opened(kept_url), _opened(kept_url)
    other = _opened("sqlite://")

    assert first == second
    assert len(first[1]) == 32
    assert first[0] != other[0]
    assert first[1] != other[1]


def _opened(url: str) -> tuple[int, bytes]:
    store = open_store(url)
    snapshot = store.load(NOW)
    store.close()
    return snapshot.log_epoch, snapshot.secret


def test_orders_of_late_are_wanted_whatever_became_of_them(store: Store) -> None:
    store.commit(whole(1, size=3))
    store.commit(Batch(orders={"O0002": order(2).next(NOW, terminal=Terminal.CANCELED)}))

    assert store.load(NOW + 5 * SECOND).recent == []
    assert [one.order_id for one in store.load(NOW + 5 * SECOND, 3 * SECOND).recent] == ["O0002", "O0003"]
