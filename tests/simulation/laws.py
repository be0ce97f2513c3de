"""What has to be true of a run that is over; each law yields what breaks it, in a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from fairlead.v1.execution_service_pb2 import ExecutionEvent
from fairlead_server.api import images
from fairlead_server.domain.exposure import scope_of
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_state import TradingState
from fairlead_server.router import Router
from fairlead_server.routing.book import Book
from fairlead_server.store import lever_tables
from fairlead_server.store.database import OrderQuery, Store
from sqlalchemy import Connection, select

from tests import by_hand
from tests.simulation.clients import Clients
from tests.simulation.venue import PRICES
from tests.simulation.world import ACCOUNT, World
from tests.system import books

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def memory(router: Router, store: Store, world: World) -> Iterator[str]:
    """Memory is what the store would be rebuilt to."""
    again = Book(store)
    again.load(store.load(world.now()))
    ours, stored = ({o.order_id: o for o in book.all_live()} for book in (router.book, again))
    for order_id in ours.keys() | stored.keys():
        if ours.get(order_id) != stored.get(order_id):
            yield f"{order_id} is {ours.get(order_id)} in memory, {stored.get(order_id)} in the store"
    for name in PRICES:
        in_memory, rebuilt = (book.exposures.of(ACCOUNT, name) for book in (router.book, again))
        if in_memory != rebuilt:
            yield f"{name}: exposure {in_memory} in memory, {rebuilt} from the store"
    if router.book.exposures.open_orders(Scope(ACCOUNT)) != again.exposures.open_orders(Scope(ACCOUNT)):
        yield "memory and store count other open orders"
    for session_id in world.sessions:
        if len(router.book.queue(session_id)):
            yield f"{len(router.book.queue(session_id))} still wait for their turn on {session_id}"


def positions(router: Router, store: Store, world: World) -> Iterator[str]:
    """Positions and days are what the executions make of them, recomputed by hand, and a restart would find them so."""
    ours = dict(router.book.holdings.all())
    yield from by_hand.wrong_in(store, ours, {})
    again = Book(store)
    again.load(store.load(world.now()))
    rebuilt = dict(again.holdings.all())
    for key in ours.keys() | rebuilt.keys():
        if ours.get(key) != rebuilt.get(key):
            yield f"{key} is {ours.get(key)} in memory, {rebuilt.get(key)} from the store"


def known(router: Router, world: World) -> Iterator[str]:
    """Whenever numbers have begun anew, how the live orders stand was asked, and answered."""
    for name in world.sessions:
        epoch, asked = router.sessions.gateways[name].epoch, router.book.asked_epoch(name)
        if asked < epoch:
            yield f"{name}: how orders stand is known of epoch {asked}, and it is {epoch}"


def log(store: Store) -> Iterator[str]:
    """Replayed, the log of events gives each order as it is stored."""
    rows = store.events_after(0, 1_000_000)
    told = {row.order_id: ExecutionEvent.FromString(row.body).order for row in rows}
    for order in store.list_orders(OrderQuery()):
        if told.get(order.order_id) != images.order(order):
            yield f"the log ends with {order.order_id} as {told.get(order.order_id)}, the store with {order}"


def answers(clients: Clients, store: Store) -> Iterator[str]:
    """Nothing that a client was told is forgotten."""
    yield from clients.problems
    for key, order_id in clients.answered.items():
        order = store.order_by_client_order_id(ACCOUNT, key)
        if order is None or order.order_id != order_id:
            yield f"{key} was answered as {order_id}, and is {order and order.order_id}"


def kills(store: Store, router: Router) -> Iterator[str]:
    """From the decision of a kill to that of its release nothing of its scope is sent, and in the end nothing is left of it."""
    with store._reading() as connection:
        said = list(connection.scalars(select(lever_tables.trading_states.c.facts).order_by("number")))
    orders = store.list_orders(OrderQuery())
    for halt in said:
        if halt.state is not TradingState.KILLED:
            continue
        over = next(
            (each.time for each in said if each.number > halt.number and each.scope == halt.scope), None
        )
        held = [o for o in orders if halt.scope.holds(scope_of(o.request, o.session_id))]
        for order in held:
            sent = order.route_time
            if sent is not None and halt.time < sent and (over is None or sent < over):
                yield f"{order.order_id} was sent at {sent}, and {halt.scope} was killed at {halt.time}"
        if over is None and router.trading_states.progress(halt).left:
            yield f"{halt.scope} is killed, and left are {router.trading_states.progress(halt).left}"


def both_sides(world: World) -> Iterator[str]:
    """Orders, fills, names, numbers, positions: see :mod:`tests.system.books`."""
    with world.disk._database.reading() as connection:
        router = books.Router(lambda table, order: _rows(connection, table, order))
    yield from books.compared(router, books.read_venue(world.journal()))
    yield from _late(world, router)


def _late(world: World, router: books.Router) -> Iterator[str]:
    """What adds risk never arrives later than its sender would want it, but for what the network itself keeps back."""
    around = world.around
    on_its_way = timedelta(seconds=world.stalled + 2 * around.slowest + 2 * around.patience)
    decided = {
        books.fields(row["frame"])[11]: row["time"]
        for session_id in world.sessions
        for row in router.out(session_id)
        if row["msg_type"] in "DG"
    }
    for turn in map(json.loads, world.journal()):
        received = (row for part in turn.get("sessions", {}).values() for row in part["received"])
        for row in received:
            if row["type"] not in "DG" or row["cl_ord_id"] not in decided:
                continue
            took = (
                datetime.fromisoformat(turn["at"])
                - _EPOCH
                - timedelta(microseconds=decided[row["cl_ord_id"]])
            )
            if took > around.resend_stale + on_its_way:
                yield f"{row['cl_ord_id']} arrived {took} after it was decided"


def _rows(connection: Connection, table: str, order: str) -> list[books.Row]:
    cursor = connection.exec_driver_sql(f"SELECT * FROM {table} ORDER BY {order}")
    return [dict(row) for row in cursor.mappings()]
