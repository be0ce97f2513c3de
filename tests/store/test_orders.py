from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from fairlead_server.domain.order import Order, OrderState, Terminal
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import OrderQuery, Store
from msgspec.structs import replace

from tests.domain.builders import NOW
from tests.store.facts import SECOND, event, order, orders, whole


def ids(found: list[Order]) -> list[str]:
    return [each.order_id for each in found]


def test_an_order_is_found_by_each_of_its_names(store: Store) -> None:
    placed = order(1).next(NOW, venue_order_id="V1", cl_ord_ids=("C0001", "C0002"))
    names = {("BROKER", "C0001"): "O0001", ("BROKER", "C0002"): "O0001"}
    store.commit(dataclasses.replace(orders(placed, order(2)), new_cl_ord_ids=names))

    assert store.order("O0001") == placed
    assert store.order_by_client_order_id("ACC1", "client-1") == placed
    assert store.order_by_cl_ord_id("BROKER", "C0001") == placed
    assert store.order_by_cl_ord_id("BROKER", "C0002") == placed
    assert store.order_by_venue_order_id("BROKER", "V1") == placed


def test_nobody_is_found_by_the_name_of_another(store: Store) -> None:
    placed = order(1).next(NOW, venue_order_id="V1")
    store.commit(dataclasses.replace(orders(placed), new_cl_ord_ids={("BROKER", "C0001"): "O0001"}))

    assert store.order("O0002") is None
    assert store.order_by_client_order_id("ACC2", "client-1") is None
    assert store.order_by_cl_ord_id("OTHER", "C0001") is None
    assert store.order_by_venue_order_id("OTHER", "V1") is None


def test_an_empty_name_names_nobody(store: Store) -> None:
    store.commit(orders(order(1, client_order_id="")))

    assert store.order_by_client_order_id("ACC1", "") is None
    assert store.order_by_venue_order_id("BROKER", "") is None


def test_of_two_orders_with_one_venue_order_id_the_later_is_meant(store: Store) -> None:
    store.commit(orders(*(order(n).next(NOW, venue_order_id="V1") for n in (2, 1))))

    found = store.order_by_venue_order_id("BROKER", "V1")

    assert found is not None
    assert found.order_id == "O0002"


def test_of_two_orders_with_one_venue_order_id_that_of_a_client_is_meant(store: Store) -> None:
    stranger = order(2, client_order_id="O0002")
    store.commit(orders(*(each.next(NOW, venue_order_id="V1") for each in (order(1), stranger))))

    found = store.order_by_venue_order_id("BROKER", "V1")

    assert found is not None
    assert found.order_id == "O0001"


MANY = (
    order(1),
    order(2, account_id="ACC2"),
    order(3, instrument_id="OTHER"),
    order(4, strategy_id="S1"),
    replace(order(5), session_id="SECOND"),
    order(6).next(NOW, terminal=Terminal.CANCELED),
    order(7).next(NOW, acked=True),
)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "1234567"),
        ({"account_ids": ("ACC2",)}, "2"),
        ({"account_ids": ("ACC2", "ACC1")}, "1234567"),
        ({"instrument_ids": ("OTHER",)}, "3"),
        ({"strategy_ids": ("S1",)}, "4"),
        ({"session_ids": ("SECOND",)}, "5"),
        ({"states": (OrderState.CANCELED, OrderState.WORKING)}, "67"),
        ({"live_only": True}, "123457"),
        ({"created_from": NOW + 3 * SECOND}, "34567"),
        ({"created_to": NOW + 3 * SECOND}, "12"),
        ({"account_ids": ("ACC1",), "live_only": True, "created_from": NOW + 5 * SECOND}, "57"),
        ({"account_ids": ("nobody",)}, ""),
        ({"limit": 2}, "12"),
        ({"limit": 2, "descending": True}, "76"),
        ({"after": (NOW + 4 * SECOND, "O0004")}, "567"),
        ({"after": (NOW + 4 * SECOND, "O0004"), "descending": True}, "321"),
    ],
)
def test_orders_are_listed_by_what_is_asked(store: Store, wanted: dict[str, Any], found: str) -> None:
    store.commit(orders(*MANY))

    assert ids(store.list_orders(OrderQuery(**wanted))) == [f"O000{number}" for number in found]


@pytest.mark.parametrize("descending", [False, True])
def test_pages_give_every_order_once_though_many_were_made_at_the_same_time(
    store: Store, *, descending: bool
) -> None:
    made = [order(n, at=NOW + (n // 4) * timedelta(microseconds=1)) for n in range(30)]
    store.commit(orders(*made))

    query, listed = OrderQuery(limit=7, descending=descending), list[Order]()
    while page := store.list_orders(query):
        listed += page
        query = replace(query, after=(page[-1].create_time, page[-1].order_id))

    assert ids(listed) == sorted(ids(made), reverse=descending)


def test_the_live_orders_come_with_the_head_of_the_log(store: Store) -> None:
    store.commit(whole(1, size=3))
    store.commit(Batch(orders={"O0002": order(2).next(NOW, terminal=Terminal.EXPIRED)}, events=[event(4)]))

    assert store.live_orders(OrderQuery()) == (4, [order(1), order(3)])
    assert store.live_orders(OrderQuery(account_ids=("ACC2",))) == (4, [])
