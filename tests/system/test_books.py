"""The checker that all of this rests on: with one fact changed, on either side, it must say so."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.system.books import disagreements
from tests.system.crowd import Crowd
from tests.system.world import World, at_rest

Turn = dict[str, Any]

STORE_FAULTS = {
    "a fill is missing": "DELETE FROM executions WHERE sequence = (SELECT max(sequence) FROM executions)",
    "a fill of another quantity": "UPDATE executions SET quantity = quantity + 1 WHERE sequence = "
    "(SELECT max(sequence) FROM executions)",
    "a position is off": "UPDATE positions SET quantity = quantity + 1",
    "an event is missing": "DELETE FROM events WHERE sequence = 5",
    "an order is forgotten": "DELETE FROM orders WHERE order_id = (SELECT order_id FROM executions LIMIT 1)",
    "an order ended otherwise": "UPDATE orders SET state = 'CANCELED' WHERE state = 'FILLED'",
    "a message is missing": "DELETE FROM messages WHERE msg_type = 'D' AND message_id = "
    "(SELECT max(message_id) FROM messages WHERE msg_type = 'D')",
    "a report was heard twice": "INSERT INTO messages (session_id, epoch, direction, msg_seq_num, msg_type, time,"
    " frame) SELECT session_id, epoch, direction, msg_seq_num, msg_type, time, frame FROM messages"
    " WHERE direction = 'IN' AND msg_type = '8' LIMIT 1",
    "a report was not heard": "DELETE FROM messages WHERE direction = 'IN' AND msg_type = '8' AND msg_seq_num = 4",
    "a number was lost": "UPDATE sessions SET next_out = next_out + 1",
    "a name is unknown": "DELETE FROM cl_ord_ids",
}


def twice_received(turn: Turn) -> None:
    for part in turn.get("sessions", {}).values():
        part["received"] += [{**row, "seq": row["seq"] + 1000} for row in part["received"]]


def no_fill(turn: Turn) -> None:
    turn["executions"] = [each for each in turn.get("executions", []) if each["exec_type"] != "F"]


def queued(turn: Turn) -> None:
    for part in turn.get("sessions", {}).values():
        part["queued"].append(["8", []])


def unsent(turn: Turn) -> None:
    for part in turn.get("sessions", {}).values():
        part["sent"] = part["sent"][1:]


def less_filled(turn: Turn) -> None:
    for order in turn.get("orders", []):
        order["cum_qty"] = "1"


JOURNAL_FAULTS: list[Callable[[Turn], None]] = [twice_received, no_fill, queued, unsent, less_filled]


async def test_every_fault_on_either_side_is_found(world: World, tmp_path: Path) -> None:
    venue, router = await world.start_venue(), await world.start_router()
    async with Crowd(world) as crowd:
        await crowd.answers(20)
        await crowd.finish()
    await world.until(at_rest)
    await world.balanced(router, venue)

    doctored = tmp_path / "doctored"
    assert [name for name, sql in STORE_FAULTS.items() if not found_in_store(world, sql, doctored)] == []
    assert [fault.__name__ for fault in JOURNAL_FAULTS if not found_in_journal(world, fault, doctored)] == []


def found_in_store(world: World, sql: str, doctored: Path) -> list[str]:
    shutil.copy(world.store, doctored)
    with closing(sqlite3.connect(doctored)) as connection, connection:
        assert connection.execute(sql).rowcount > 0
    return disagreements(doctored, world.journal)


def found_in_journal(world: World, fault: Callable[[Turn], None], doctored: Path) -> list[str]:
    turns = [json.loads(line) for line in world.journal.read_text().splitlines()]
    for turn in turns:
        fault(turn)
    doctored.write_text("\n".join(map(json.dumps, turns)))
    return disagreements(world.store, doctored)
