"""Compares a router's store with the simulator's journal: two files, read as they are, with nothing that wrote them.

Every rule is a generator of the lines that say where it is broken. Both sides have to be at rest: logged out, ended.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Number = tuple[int, int]  # epoch, MsgSeqNum(34)
SOH = "\x01"
_ADMIN = frozenset("012345A")
_ORDERS = frozenset("DG")  # what may be withheld when the venue asks for it too late
_STATE = {"4": "CANCELED", "8": "REJECTED", "C": "EXPIRED"}


def disagreements(store: Path, journal: Path) -> list[str]:
    """What is wrong, one line each; none when everything that one side knows the other knows too."""
    router, venue = Router(store), read_venue(journal)
    return list(chain.from_iterable(rule(router, venue) for rule in _RULES))


def received(journal: Path, msg_type: str) -> list[str]:
    """The ClOrdIDs(11) of the messages of one type that the venue has received."""
    every = chain.from_iterable(read_venue(journal).received.values())
    return [row["cl_ord_id"] for row in every if row["type"] == msg_type]


class Router:
    """The router's tables; ``client`` is what the venue calls each session."""

    def __init__(self, store: Path) -> None:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            connection.row_factory = sqlite3.Row
            self.orders = {row["order_id"]: row for row in _rows(connection, "orders", "order_id")}
            self.events = _rows(connection, "events", "sequence")
            self.executions = _rows(connection, "executions", "sequence")
            self.messages = _rows(connection, "messages", "message_id")
            self.sessions = {row["session_id"]: row for row in _rows(connection, "sessions", "session_id")}
            self.positions = _rows(connection, "positions", "account_id, instrument_id")
            named = _rows(connection, "cl_ord_ids", "cl_ord_id")
        connection.close()
        self.facts: dict[str, Row] = {key: json.loads(row["facts"]) for key, row in self.orders.items()}
        self.named = {(row["session_id"], row["cl_ord_id"]): row["order_id"] for row in named}
        self.client = {
            row["session_id"]: _client(row["frame"]) for row in self.messages if row["direction"] == "OUT"
        }

    def session(self, client: str) -> str:
        return next((session for session, name in self.client.items() if name == client), "")

    def out(self, session_id: str) -> list[Row]:
        return [row for row in self.messages if row["session_id"] == session_id and row["direction"] == "OUT"]

    def heard(self, session_id: str) -> list[Row]:
        return [row for row in self.messages if row["session_id"] == session_id and row["direction"] == "IN"]


@dataclass
class Venue:
    """What the journal adds up to."""

    numbers: dict[str, list[int]] = field(default_factory=dict)
    received: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    sent: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    queued: Counter[str] = field(default_factory=Counter)
    fills: list[Row] = field(default_factory=list)
    orders: dict[str, Row] = field(default_factory=dict)

    def read(self, turn: Row) -> None:
        for client, part in turn.get("sessions", {}).items():
            self.numbers[client] = part["numbers"]
            epoch = part["numbers"][2]
            self.received[client] += [{"epoch": epoch, **row} for row in part["received"]]
            self.sent[client] += part["sent"]
            self.queued[client] += len(part["queued"]) - part["dequeued"]
        self.fills += [each for each in turn.get("executions", ()) if each["exec_type"] == "F"]
        self.orders |= {order["order_id"]: order for order in turn.get("orders", ())}


def read_venue(journal: Path) -> Venue:
    venue = Venue()
    for line in journal.read_text().splitlines():
        venue.read(json.loads(line))
    return venue


# Sequence numbers and messages.


def _numbers_agree(router: Router, venue: Venue) -> Iterator[str]:
    for session_id, client in router.client.items():
        ours, theirs = router.sessions[session_id], venue.numbers[client]
        if [ours["next_out"], ours["next_in"], ours["epoch"]] != theirs:
            yield f"{session_id}: the router stands at {dict(ours)}, the venue at {theirs}"
        if venue.queued[client]:
            yield f"{session_id}: {venue.queued[client]} reports were never sent"


def _numbers_are_contiguous(router: Router, venue: Venue) -> Iterator[str]:
    for session_id, client in router.client.items():
        ours, (_, next_out, epoch) = router.sessions[session_id], venue.numbers[client]
        out = [(row["epoch"], row["msg_seq_num"]) for row in router.out(session_id)]
        sent = [(row["epoch"], row["seq"]) for row in venue.sent[client]]
        yield from _contiguous(f"{session_id}: the router", out, (ours["epoch"], ours["next_out"]))
        yield from _contiguous(f"{session_id}: the venue", sent, (epoch, next_out))


def _contiguous(who: str, numbers: list[Number], end: Number) -> Iterator[str]:
    """From 1 in each epoch, each number once, up to the next one to be used."""
    for before, number in pairwise([(0, 0), *numbers, end]):
        if number not in ((before[0], before[1] + 1), (max(before[0], number[0]), 1)):
            yield f"{who} numbered {number} after {before}"


def _what_was_sent_arrived(router: Router, venue: Venue) -> Iterator[str]:
    """As what it was sent, under its number; but for orders that were held back, and questions about orders."""
    for session_id, client in router.client.items():
        sent = {_number(row): row for row in router.out(session_id) if row["msg_type"] not in _ADMIN}
        received = {(row["epoch"], row["seq"]): row for row in venue.received[client]}
        if len(received) != len(venue.received[client]):
            yield f"{session_id}: the venue took one number twice"
        for number, row in received.items():
            ours = sent.get(number)
            if ours is None:
                yield f"{session_id}: the venue received {row}, which the router does not know of"
            elif (ours["msg_type"], _fields(ours["frame"]).get(11)) != (row["type"], row["cl_ord_id"]):
                yield f"{session_id}: number {number} was sent as {ours['frame']!r}, received as {row}"
        for number in sent.keys() - received.keys():
            yield from _withheld(router, session_id, sent[number])


def _withheld(router: Router, session_id: str, row: Row) -> Iterator[str]:
    order_id = router.named.get((session_id, _fields(row["frame"])[11]))
    doubted = any(each["order_id"] == order_id and each["kind"] == "IN_DOUBT" for each in router.events)
    if row["msg_type"] != "H" and not (row["msg_type"] in _ORDERS and doubted):
        yield f"{session_id}: the venue never received {row['frame']!r}"


def _what_the_venue_said_was_heard_once(router: Router, venue: Venue) -> Iterator[str]:
    for session_id, client in router.client.items():
        said = {(row["epoch"], row["seq"]) for row in venue.sent[client] if row["type"] not in _ADMIN}
        heard = Counter(_number(row) for row in router.heard(session_id) if row["msg_type"] not in _ADMIN)
        for each in said - heard.keys():
            if (
                each[0] == router.sessions[session_id]["epoch"]
            ):  # of an older epoch nothing can be asked for again
                yield f"{session_id}: the router never heard {each}"
        for each in heard.keys() - said:
            yield f"{session_id}: the router heard {each}, which the venue did not say"
        for each, times in heard.items():
            if times > 1:
                yield f"{session_id}: the router heard {each} {times} times"


# Orders.


def _no_order_was_received_twice(router: Router, venue: Venue) -> Iterator[str]:
    for client, rows in venue.received.items():
        times = Counter(row["cl_ord_id"] for row in rows if row["type"] in "DFG")
        for cl_ord_id, count in times.items():
            if count > 1:
                yield f"{client} received {cl_ord_id} {count} times"
            if (router.session(client), cl_ord_id) not in router.named:
                yield f"{client} received {cl_ord_id}, of which the router knows nothing"


def _each_key_has_one_order(router: Router, venue: Venue) -> Iterator[str]:
    keys = Counter((row["account_id"], row["client_order_id"]) for row in router.orders.values())
    for key, count in keys.items():
        if count > 1:
            yield f"{key} has {count} orders"


def _orders_stand_alike(router: Router, venue: Venue) -> Iterator[str]:
    theirs: dict[str, Row] = {}
    for order in venue.orders.values():
        session_id = router.session(order["client"])
        names = {router.named.get((session_id, cl_ord_id)) for cl_ord_id in order["cl_ord_ids"]}
        if len(names) != 1 or None in names:
            yield f"the venue's {order['order_id']} goes by {order['cl_ord_ids']}, here {names}"
            continue
        theirs[names.pop() or ""] = order
    for order_id, row in router.orders.items():
        found, facts = theirs.get(order_id), router.facts[order_id]
        if found is not None:
            yield from _stands(order_id, row, facts, found)
        elif facts["cl_ord_ids"] and (facts["reject"] or {}).get("reason") != "ROUTER_SESSION_LOST":
            yield f"{order_id} ({row['state']}) was sent, and the venue does not have it"
        elif row["state"] != "REJECTED":
            yield f"{order_id} is {row['state']} and was never at the venue"


def _stands(order_id: str, row: Row, facts: Row, theirs: Row) -> Iterator[str]:
    ours = (row["state"], Decimal(facts["cum_qty"]), Decimal(facts["terms"]["quantity"]))
    if ours != (state := _state(theirs), Decimal(theirs["cum_qty"]), Decimal(theirs["order_qty"])):
        yield f"{order_id} stands at {ours}, at the venue at {state, theirs['cum_qty'], theirs['order_qty']}"
    if facts["venue_order_id"] != theirs["order_id"]:
        yield f"{order_id} is {facts['venue_order_id']} here, {theirs['order_id']} there"
    if facts["flags"] or facts["pending"]:
        yield f"{order_id} still has {facts['flags']} and {facts['pending']}"


def _state(order: Row) -> str:
    if order["done"]:
        return _STATE[order["done"]]
    cum_qty = Decimal(order["cum_qty"])
    if cum_qty == Decimal(order["order_qty"]):
        return "FILLED"
    return "PARTIALLY_FILLED" if cum_qty else "WORKING"


# Fills and what they add up to.


def _fills_agree(router: Router, venue: Venue) -> Iterator[str]:
    theirs: defaultdict[str | None, Counter[tuple[str, Decimal, Decimal]]] = defaultdict(Counter)
    for fill in venue.fills:
        order_id = router.named.get((router.session(fill["client"]), fill["cl_ord_id"]))
        theirs[order_id][fill["exec_id"], Decimal(fill["last_qty"]), Decimal(fill["last_px"])] += 1
    ours: defaultdict[str | None, Counter[tuple[str, Decimal, Decimal]]] = defaultdict(Counter)
    for row in router.executions:
        ours[row["order_id"]][row["exec_id"], Decimal(row["quantity"]), Decimal(row["price"])] += 1
    for order_id in theirs.keys() | ours.keys():
        for missing, times in (theirs[order_id] - ours[order_id]).items():
            yield f"{order_id}: the fill {missing} is missing {times} times"
        for surplus, times in (ours[order_id] - theirs[order_id]).items():
            yield f"{order_id}: the fill {surplus} is {times} times too many"


def _orders_are_the_sum_of_their_fills(router: Router, venue: Venue) -> Iterator[str]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in router.executions:
        sums[row["order_id"]] += Decimal(row["quantity"])
    for order_id, facts in router.facts.items():
        if Decimal(facts["cum_qty"]) != sums[order_id]:
            yield f"{order_id}: CumQty {facts['cum_qty']}, fills {sums[order_id]}"


def _positions_are_the_sum_of_the_fills(router: Router, venue: Venue) -> Iterator[str]:
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in router.executions:
        sign = 1 if row["side"] == "BUY" else -1
        sums[row["account_id"], row["instrument_id"]] += sign * Decimal(row["quantity"])
    held = {(r["account_id"], r["instrument_id"]): Decimal(r["quantity"]) for r in router.positions}
    for key in sums.keys() | held.keys():
        if sums[key] != held.get(key, 0):
            yield f"{key}: position {held.get(key)}, fills {sums[key]}"


# The log.


def _the_log_is_dense(router: Router, venue: Venue) -> Iterator[str]:
    for before, sequence in pairwise([0, *(row["sequence"] for row in router.events)]):
        if sequence != before + 1:
            yield f"the log goes on with {sequence} after {before}"
    filled = Counter(row["order_id"] for row in router.events if row["kind"] == "FILLED")
    if filled != Counter(row["order_id"] for row in router.executions):
        yield "the log tells of other fills than there are"
    told = Counter(row["order_id"] for row in router.events)
    for order_id, row in router.orders.items():
        if told[order_id] != row["version"]:
            yield f"{order_id} is at version {row['version']}, with {told[order_id]} events"
    for order_id in told.keys() - router.orders.keys():
        yield f"the log tells of {order_id}, which there is not"


_RULES = (
    _numbers_agree,
    _numbers_are_contiguous,
    _what_was_sent_arrived,
    _what_the_venue_said_was_heard_once,
    _no_order_was_received_twice,
    _each_key_has_one_order,
    _orders_stand_alike,
    _fills_agree,
    _orders_are_the_sum_of_their_fills,
    _positions_are_the_sum_of_the_fills,
    _the_log_is_dense,
)


def _rows(connection: sqlite3.Connection, table: str, order: str) -> list[Row]:
    return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}")]


def _number(row: Row) -> Number:
    return row["epoch"], row["msg_seq_num"]


def _client(frame: bytes) -> str:
    """What the venue calls a session, from a message that we sent there."""
    fields = _fields(frame)
    return f"{fields[8]}:{fields[56]}:{fields[49]}"


def _fields(frame: bytes) -> dict[int, str]:
    return {
        int(tag): value
        for tag, _, value in (each.partition("=") for each in frame.decode("latin-1").split(SOH)[:-1])
    }
