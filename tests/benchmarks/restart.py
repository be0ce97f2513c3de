"""How long the router takes to be there again with a long history in its store, beside reading the same rows raw.

The case `recovery` of ``make bench``: a router process from its start until health says SERVING for the OrderService, which
means that memory is rebuilt, gRPC listens and the venue is logged on. The store is filled once and kept beside the
results, for to fill it takes minutes. ``python -m tests.benchmarks.restart`` does the same on PostgreSQL, which is
started and filled for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import grpc
import psycopg
from fairlead_server.store.database import open_store

from tests import postgres
from tests.benchmarks import history, report
from tests.benchmarks.figures import Comparison, Figures
from tests.benchmarks.processes import Process
from tests.benchmarks.rig import CONFIG, PORT, serving

NAME = "recovery"
ORDERS = 1_000_000
SECONDS = "seconds"

_OPEN = 100  # one in so many

# All that memory is rebuilt from where nobody has traded for a day.
_ROWS = (
    "SELECT facts FROM orders WHERE live = 1 ORDER BY create_time, order_id",
    "SELECT client_key FROM orders WHERE client_key IS NOT NULL",
    "SELECT max(sequence) FROM events",
    "SELECT account_id, instrument_id, strategy_id, facts FROM positions",
)


@dataclass(frozen=True, slots=True)
class Raw:
    """The store without the router: how many rows there are to read, and where the venue's session stands."""

    rows: int
    next_in: int
    next_out: int


def measure(folder: Path, rounds: int, orders: int) -> Comparison:
    """``folder`` keeps the filled store for the next time."""
    path = folder / f"history-{orders}.db"
    if not path.exists():
        print(f"\nfilling {path} once, which takes {orders // 8000 + 1} s or so", flush=True)
        unfinished = path.with_suffix(".unfinished")
        for left in folder.glob(f"{unfinished.name}*"):
            left.unlink()
        _fill(f"sqlite:///{unfinished}", orders)
        unfinished.rename(path)
    compared = _compare(_title("SQLite", orders), f"sqlite:///{path}", partial(_raw_sqlite, path), rounds)
    return asyncio.run(compared)


async def _compare(title: str, url: str, raw: Callable[[], Raw], rounds: int) -> Comparison:
    pairs = list[tuple[Figures, Figures]]()
    first = raw()
    numbers = "--next-in", str(first.next_out), "--next-out", str(first.next_in)
    with tempfile.TemporaryDirectory(prefix="restart-") as name:
        folder = Path(name)
        venue = await Process.start("venue", folder, "tests.benchmarks.venue", *numbers)
        try:
            port = json.loads(venue.ready)["port"]
            for _ in range(rounds):
                began = perf_counter()
                raw()
                reference = {SECONDS: perf_counter() - began}
                pairs.append((await _start(folder, url, port), reference))
        finally:
            await venue.kill()
    return Comparison(f"{title}, {first.rows:,} rows to read", pairs, ("router", "the rows, raw"), SECONDS)


async def _start(folder: Path, url: str, venue_port: int) -> Figures:
    settings = ("server.port=0", f"store.url={url}", f"sessions.VENUE.port={venue_port}")
    sets = [word for setting in settings for word in ("--set", setting)]
    began = perf_counter()
    router = await Process.start("router", folder, "fairlead_server", "serve", "--config", str(CONFIG), *sets)
    try:
        found = PORT.search(router.ready)
        assert found is not None, router.ready
        async with grpc.aio.insecure_channel(f"127.0.0.1:{found[1]}") as channel:
            await serving(channel)
        figures = {
            SECONDS: perf_counter() - began,
            "server CPU s": router.cpu_seconds(),
            "server memory MiB": router.memory() / 1024,
        }
        await router.stop()
    finally:
        await router.kill()
    return figures


def _title(database: str, orders: int) -> str:
    return f"Start on {database} with {orders:,} orders in the store, {orders // _OPEN:,} of them open"


def _fill(url: str, orders: int) -> None:
    with closing(open_store(url)) as store:
        history.fill(store, orders, orders // _OPEN)


def _raw_sqlite(path: Path) -> Raw:
    with closing(sqlite3.connect(path)) as connection:
        return _raw(lambda sql: connection.execute(sql).fetchall())


def _raw_postgresql(url: str) -> Raw:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return _raw(lambda sql: connection.execute(sql.encode()).fetchall())


def _raw(read: Callable[[str], Sequence[Sequence[Any]]]) -> Raw:
    rows = sum(len(read(sql)) for sql in _ROWS)
    known = read("SELECT next_in, next_out FROM sessions WHERE session_id = 'VENUE'")
    return Raw(rows, *(known[0] if known else (1, 1)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.restart")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--orders", type=int, default=ORDERS)
    options = parser.parse_args()
    with postgres.started(in_memory=False) as server:
        _fill(server.url, options.orders)
        raw = partial(_raw_postgresql, server.url)
        compared = _compare(_title("PostgreSQL", options.orders), server.url, raw, options.rounds)
        print(report.table(asyncio.run(compared)))


if __name__ == "__main__":
    main()
