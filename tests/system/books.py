"""Compares a router's store with the simulator's journal: both read as they are, with nothing that wrote them.

A store is a file of SQLite's, or the URL of a database of PostgreSQL's.

Every rule is a generator of the lines that say where it is broken. Both sides have to be at rest: logged out, ended.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
Number = tuple[int, int]  # epoch, MsgSeqNum(34)
Read = Callable[[str, str], list[Row]]  # a table, in an order
Fill = tuple[str | Decimal, ...]  # the order, and what it was
SOH = "\x01"
_ADMIN = frozenset("012345A")
_ORDERS = frozenset("DG")  # what may be withheld when the venue asks for it too late
_QUESTIONS = frozenset({"H", "AF"})  # asked anew instead of being sent again
_KINDS = {"F": "FILLED", "G": "TRADE_CORRECTED", "H": "TRADE_BUSTED"}  # of executions, by ExecType(150)
_STATE = {"4": "CANCELED", "8": "REJECTED", "C": "EXPIRED"}


def disagreements(store: Path | str, journal: Path) -> list[str]:
    """What is wrong, one line each; none when everything that one side knows the other knows too."""
    return compared(*both(store, journal))


def both(store: Path | str, journal: Path) -> tuple[Router, Venue]:
    return read_router(store), read_venue(_turns(journal))


def compared(router: Router, venue: Venue) -> list[str]:
    return list(chain.from_iterable(rule(router, venue) for rule in _RULES))


def arrivals(journal: Path) -> list[tuple[datetime, str]]:
    """When, by the venue's clock, messages that are about orders were received, and their types."""
    return [
        (datetime.fromisoformat(turn["at"]), row["type"])
        for turn in map(json.loads, _turns(journal))
        for part in turn.get("sessions", {}).values()
        for row in part["received"]
    ]


def departures(store: Path) -> list[tuple[datetime, str]]:
    """When, by SendingTime(52), messages that are about orders were made by the router, and their types."""
    sent = [row for row in read_router(store).messages if row["direction"] == "OUT"]
    return [
        (datetime.strptime(fields(row["frame"])[52], "%Y%m%d-%H:%M:%S.%f"), row["msg_type"])
        for row in sent
        if row["msg_type"] not in _ADMIN
    ]


def received(journal: Path, msg_type: str) -> list[str]:
    """The ClOrdIDs(11) of the messages of one type that the venue has received."""
    every = chain.from_iterable(read_venue(_turns(journal)).received.values())
    return [row["cl_ord_id"] for row in every if row["type"] == msg_type]


class Router:
    """The router's tables; ``client`` is what the venue calls each session."""

    def __init__(self, rows: Read) -> None:
        self.orders = {row["order_id"]: row for row in rows("orders", "order_id")}
        self.events = rows("events", "sequence")
        self.executions = rows("executions", "sequence")
        self.messages = rows("messages", "message_id")
        self.sessions = {row["session_id"]: row for row in rows("sessions", "session_id")}
        self.positions = rows("positions", "account_id, instrument_id, strategy_id")
        named = rows("cl_ord_ids", "cl_ord_id")
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
        self.fills += [each for each in turn.get("executions", ()) if each["exec_type"] in _KINDS]
        self.orders |= {order["order_id"]: order for order in turn.get("orders", ())}


def read_router(store: Path | str) -> Router:
    with _file(store) if isinstance(store, Path) else _server(store) as rows:
        return Router(rows)


def read_venue(turns: Iterable[str | bytes]) -> Venue:
    venue = Venue()
    for turn in turns:
        venue.read(json.loads(turn))
    return venue


def _turns(journal: Path) -> list[str]:
    return journal.read_text().splitlines()


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
            elif (ours["msg_type"], fields(ours["frame"]).get(11)) != (row["type"], row["cl_ord_id"]):
                yield f"{session_id}: number {number} was sent as {ours['frame']!r}, received as {row}"
        for number in sent.keys() - received.keys():
            yield from _withheld(router, session_id, sent[number])


def _withheld(router: Router, session_id: str, row: Row) -> Iterator[str]:
    order_id = router.named.get((session_id, fields(row["frame"]).get(11, "")))
    doubted = any(each["order_id"] == order_id and each["kind"] == "IN_DOUBT" for each in router.events)
    over = row["msg_type"] == "G" and not router.orders[order_id or ""]["live"]
    if row["msg_type"] not in _QUESTIONS and not over and not (row["msg_type"] in _ORDERS and doubted):
        yield f"{session_id}: the venue never received {row['frame']!r}"


def _what_the_venue_said_was_heard_once(router: Router, venue: Venue) -> Iterator[str]:
    """What was asked for again comes again, and says so by PossDupFlag(43)."""
    for session_id, client in router.client.items():
        said = {(row["epoch"], row["seq"]) for row in venue.sent[client] if row["type"] not in _ADMIN}
        rows = [row for row in router.heard(session_id) if row["msg_type"] not in _ADMIN]
        heard = {_number(row) for row in rows}
        for each in said - heard:
            if each[0] == router.sessions[session_id]["epoch"]:  # of an older one nothing can be asked for
                yield f"{session_id}: the router never heard {each}"
        for each in heard - said:
            yield f"{session_id}: the router heard {each}, which the venue did not say"
        first = Counter(_number(row) for row in rows if fields(row["frame"]).get(43) != "Y")
        for each, times in first.items():
            if times > 1:
                yield f"{session_id}: the router heard {each} {times} times"


# Orders.


def _no_order_was_received_twice(router: Router, venue: Venue) -> Iterator[str]:
    for client, rows in venue.received.items():
        session_id = router.session(client)
        for_many = {fields(row["frame"])[11] for row in router.out(session_id) if row["msg_type"] == "q"}
        times = Counter(row["cl_ord_id"] for row in rows if row["type"] in "DFGq")
        for cl_ord_id, count in times.items():
            if count > 1:
                yield f"{client} received {cl_ord_id} {count} times"
            if (session_id, cl_ord_id) not in router.named and cl_ord_id not in for_many:
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
        elif row["state"] not in ("REJECTED", "CANCELED"):  # one that waited for its turn may be taken back
            yield f"{order_id} is {row['state']} and was never at the venue"


def _stands(order_id: str, row: Row, facts: Row, theirs: Row) -> Iterator[str]:
    ours = (row["state"], Decimal(facts["cum_qty"]), Decimal(facts["terms"]["quantity"]))
    if ours != (state := _state(theirs), Decimal(theirs["cum_qty"]), Decimal(theirs["order_qty"])):
        yield f"{order_id} stands at {ours}, at the venue at {state, theirs['cum_qty'], theirs['order_qty']}"
    if facts["venue_order_id"] != theirs["order_id"]:
        yield f"{order_id} is {facts['venue_order_id']} here, {theirs['order_id']} there"
    if set(facts["flags"]) - {"BUSTED"} or facts["pending"]:
        yield f"{order_id} still has {facts['flags']} and {facts['pending']}"


def _state(order: Row) -> str:
    """To be filled outranks any other end, but to be rejected (FIX 4.4 vol. 4, App. D)."""
    cum_qty = Decimal(order["cum_qty"])
    filled = cum_qty > 0 and cum_qty == Decimal(order["order_qty"])
    if order["done"] and (order["done"] == "8" or not filled):
        return _STATE[order["done"]]
    if filled:
        return "FILLED"
    return "PARTIALLY_FILLED" if cum_qty else "WORKING"


# Fills and what they add up to.


def _fills_agree(router: Router, venue: Venue) -> Iterator[str]:
    """Busts and corrections as well."""
    theirs, ours = fills(router, venue)
    for missing, times in (theirs - ours).items():
        yield f"{missing[0]}: the fill {missing[1:]} is missing {times} times"
    for surplus, times in (ours - theirs).items():
        yield f"{surplus[0]}: the fill {surplus[1:]} is {times} times too many"


def fills(router: Router, venue: Venue) -> tuple[Counter[Fill], Counter[Fill]]:
    """The venue's, then the router's: what each says of an order, under the router's id of it."""
    theirs, ours = Counter[Fill](), Counter[Fill]()
    for fill in venue.fills:
        order_id = router.named.get((router.session(fill["client"]), fill["cl_ord_id"]), "")
        kind, ids = _KINDS[fill["exec_type"]], (_exec_id(fill, "exec_id"), _exec_id(fill, "exec_ref_id"))
        theirs[order_id, *_fact(kind, *ids, fill["last_qty"], fill["last_px"])] += 1
    for row in router.executions:
        fact = _fact(row["kind"], row["exec_id"], row["ref_exec_id"], row["quantity"], row["price"])
        ours[row["order_id"], *fact] += 1
    return theirs, ours


def _exec_id(fill: Row, name: str) -> str:
    """As it was told: in FIX.4.0 it is a number, see docs/fix-sim.md."""
    text = str(fill.get(name, ""))
    if not text or not fill["client"].startswith("FIX.4.0:"):
        return text
    seed, _, count = text.partition("-E")
    return f"{int(seed, 16)}{count:0>8}"


def _fact(kind: str, exec_id: str, ref: str, quantity: str, price: str) -> tuple[str | Decimal, ...]:
    """A bust says what it undoes by its ExecRefID(19) alone."""
    return (kind, exec_id, ref, *(() if kind == "TRADE_BUSTED" else (Decimal(quantity), Decimal(price))))


def _standing(rows: Iterable[Row]) -> list[Row]:
    """The fills that no bust has undone; a correction takes the place of the fill that it corrects."""
    standing: dict[tuple[str, str], Row] = {}
    for row in rows:
        if row["kind"] != "FILLED":
            standing.pop((row["order_id"], row["ref_exec_id"]), None)
        if row["kind"] != "TRADE_BUSTED":
            standing[row["order_id"], row["exec_id"]] = row
    return list(standing.values())


def _orders_are_the_sum_of_their_fills(router: Router, venue: Venue) -> Iterator[str]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in _standing(router.executions):
        sums[row["order_id"]] += Decimal(row["quantity"])
    for order_id, facts in router.facts.items():
        if Decimal(facts["cum_qty"]) != sums[order_id]:
            yield f"{order_id}: CumQty {facts['cum_qty']}, fills {sums[order_id]}"


def _positions_are_the_sum_of_the_fills(router: Router, venue: Venue) -> Iterator[str]:
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in _standing(router.executions):
        sign = 1 if row["side"] == "BUY" else -1
        sums[row["account_id"], row["instrument_id"]] += sign * Decimal(row["quantity"])
    held: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in router.positions:
        held[row["account_id"], row["instrument_id"]] += Decimal(row["quantity"])
    for key in sums.keys() | held.keys():
        if sums[key] != held[key]:
            yield f"{key}: position {held[key]}, fills {sums[key]}"


# The log.


def _the_log_is_dense(router: Router, venue: Venue) -> Iterator[str]:
    for before, sequence in pairwise([0, *(row["sequence"] for row in router.events)]):
        if sequence != before + 1:
            yield f"the log goes on with {sequence} after {before}"
    filled = Counter(row["order_id"] for row in router.events if row["kind"] in _KINDS.values())
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


@contextmanager
def _file(path: Path) -> Iterator[Read]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield lambda table, order: [dict(row) for row in connection.execute(_select(table, order))]


@contextmanager
def _server(url: str) -> Iterator[Read]:
    with psycopg.connect(url.replace("+psycopg", ""), row_factory=dict_row) as connection:
        yield lambda table, order: connection.execute(_select(table, order).encode()).fetchall()


def _select(table: str, order: str) -> str:
    return f"SELECT * FROM {table} ORDER BY {order}"


def _number(row: Row) -> Number:
    return row["epoch"], row["msg_seq_num"]


def _client(frame: bytes) -> str:
    """What the venue calls a session, from a message that we sent there."""
    said = fields(frame)
    return f"{said[8]}:{said[56]}:{said[49]}"


def fields(frame: bytes) -> dict[int, str]:
    return {
        int(tag): value
        for tag, _, value in (each.partition("=") for each in frame.decode("latin-1").split(SOH)[:-1])
    }
