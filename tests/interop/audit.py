"""What must be true in the end, however rough the way: router, broker and line tell one story."""

from __future__ import annotations

import re
from decimal import Decimal

from fairlead import AsyncClient, ExecutionKind, OrderState
from fairlead.v1.common_pb2 import Order

from tests.interop.basket import SESSIONS, Desk
from tests.interop.line import Fate, Line, Passing, To
from tests.interop.processes import Broker, Router
from tests.interop.quickfix_broker import journal
from tests.interop.quickfix_broker.orders import FIX_42, FIX_44, FIXT

BEGIN_STRINGS = {"QF42": FIX_42, "QF44": FIX_44, "QF50": FIXT}
_STATES = {
    "0": OrderState.WORKING,
    "1": OrderState.PARTIALLY_FILLED,
    "2": OrderState.FILLED,
    "3": OrderState.DONE_FOR_DAY,
    "4": OrderState.CANCELED,
    "8": OrderState.REJECTED,
    "C": OrderState.EXPIRED,
}
_REJECTS = {"3": "Reject(3)", "j": "BusinessMessageReject(j)"}
# What QuickFIX may have to say about a session that is well. It has other words for what it objects to.
_WELL = re.compile(
    r"Created session|Received logon request|Responding to logon request|Allows connections to the acceptor"
    r"|Received logout request|Sending logout response|Received logout response|Initiated logout request"
    r"|Sent logout|Disconnecting|Socket Error: .*Connection reset by peer|Timed out waiting for heartbeat"
    r"|Sent test request|MsgSeqNum too high|Sent ResendRequest|Already sent ResendRequest"
    r"|ResendRequest for messages .* has been satisfied|Processing QUEUED message|Received SequenceReset"
    r"|Received ResendRequest|Resending Message|Sent SequenceReset|Connecting to|Connection (failed|closed)"
    r"|Initiated logon request|Received logon response|Logon contains ResetSeqNumFlag=Y"
)


_ALARM = re.compile(r" WARNING +[A-Z_]+ on order ")
_TRADES = [
    ExecutionKind.FILLED,
    ExecutionKind.TRADE_CORRECTED,
    ExecutionKind.TRADE_BUSTED,
    ExecutionKind.ORPHAN_EXECUTION,
]
_Fills = dict[tuple[str, str], tuple[Decimal, Decimal]]  # by session and ExecID(17): quantity and price


async def agree(desk: Desk, router: Router, broker: Broker, line: Line, *, alarms: bool = False) -> None:
    """Compare the books, stop both in good order, compare their numbers and read what passed between them.

    ``alarms`` is whether the broker has contradicted itself, so that the router may have warned of it.
    """
    orders = [order async for order in desk.client.list_orders(page_size=500)]
    _every_order_told_exists(desk, orders)
    _orders_agree(orders, broker)
    assert await _our_fills(desk.client) == _their_fills(broker)
    _no_order_was_new_twice(broker, line.passed)

    assert await router.stop() == 0
    assert await broker.stop() == 0
    for session, begin_string in BEGIN_STRINGS.items():
        _numbers_agree(router, broker, session, begin_string)
    nobody_objects(line, broker.events())
    logged = router.log.read_text().splitlines()
    warned = [text for text in logged if " WARNING " in text or " ERROR " in text]
    assert [text for text in warned if not (alarms and _ALARM.search(text))] == []


def nobody_objects(line: Line, events: list[str]) -> None:
    """``events`` are QuickFIX's."""
    assert [str(p) for p in line.passed if p.fields["35"] in _REJECTS] == []
    assert [event for event in events if _WELL.search(event) is None] == []


def _every_order_told_exists(desk: Desk, orders: list[Order]) -> None:
    kept = {(o.account_id, o.client_order_id): o.order_id for o in orders if not o.external}
    assert kept == {tuple(ref): order_id for ref, order_id in desk.told.items()}


def _orders_agree(orders: list[Order], broker: Broker) -> None:
    ours = {
        (BEGIN_STRINGS[order.venue.session_id], order.venue.venue_order_id): (
            OrderState(order.state),
            Decimal(order.quantity),
            Decimal(order.cum_quantity),
        )
        for order in orders
        if order.venue.venue_order_id
    }
    last = {order.order_id: order for _, order in journal.orders(broker.journal)}
    theirs = {
        (order.begin_string, order.renamed or order.order_id): (
            _STATES[order.status],
            order.quantity,
            order.filled,
        )
        for order in last.values()
    }
    names = ours.keys() | theirs.keys()
    assert {n: (ours.get(n), theirs.get(n)) for n in names if ours.get(n) != theirs.get(n)} == {}


async def _our_fills(client: AsyncClient) -> _Fills:
    """Those that stand."""
    fills: _Fills = {}
    named: dict[str, str] = {}  # ExecID(17), by execution_id
    async for event in client.list_executions(kinds=_TRADES, page_size=500):
        begin_string, fill = BEGIN_STRINGS[SESSIONS[event.order.account_id]], event.fill
        fills.pop((begin_string, named.get(fill.ref_execution_id, "")), None)
        if ExecutionKind(event.kind) is not ExecutionKind.TRADE_BUSTED:
            named[fill.execution_id] = event.venue.exec_id
            fills[begin_string, event.venue.exec_id] = Decimal(fill.quantity), Decimal(fill.price)
    return fills


def _their_fills(broker: Broker) -> _Fills:
    """Those that stand, by what was told; what was told first under an ExecID(17) counts."""
    fills: _Fills = {}
    undone: set[tuple[str, str]] = set()
    for report in journal.reports(broker.journal):
        fields = dict(report.fields)
        if 32 in fields:  # LastQty
            told = Decimal(fields[32]), Decimal(fields[31])
            fills.setdefault((report.begin_string, fields[17]), told)
        if 19 in fields:  # ExecRefID
            undone.add((report.begin_string, fields[19]))
    return {name: fill for name, fill in fills.items() if name not in undone}


def _no_order_was_new_twice(broker: Broker, passed: list[Passing]) -> None:
    """Neither as QuickFIX let it through to the application, nor as it was seen on the line."""
    heard = [
        (line["begin_string"], line["cl_ord_id"])
        for line in journal.read(broker.journal, "heard")
        if line["msg_type"] == "D" and not line["poss_dup"]
    ]
    assert sorted(heard) == sorted(set(heard))
    seen = [
        (p.fields["8"], p.fields["11"])
        for p in passed
        if p.to is To.BROKER and p.fields["35"] in "DFG" and p.fields.get("43") != "Y"
    ]
    assert sorted(seen) == sorted(set(seen))


def _numbers_agree(router: Router, broker: Broker, session: str, begin_string: str) -> None:
    stored = router.stored(session)
    assert (stored.next_in, stored.next_out) == broker.numbers(begin_string)
    assert stored.sent == list(range(1, stored.next_out))


def numbers_used(passed: list[Passing], begin_string: str, to: To) -> list[int]:
    """MsgSeqNum(34) of everything that was sent for the first time and arrived, in order of arrival."""
    return [
        int(p.fields["34"])
        for p in passed
        if p.fate is Fate.PASS and p.to is to and p.fields["8"] == begin_string and p.fields.get("43") != "Y"
    ]
