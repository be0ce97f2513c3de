"""What a commit costs on SQLite and on PostgreSQL, by the size of its group: ``python -m tests.benchmarks.commits``.

Both get the same groups in turn, each of new orders with all that belongs to them. PostgreSQL is started here, with its
files beside SQLite's, so that both are forced to the same disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, thread_time

from fairlead_server.fix.terms import Numbers
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Store, open_store

from tests import postgres
from tests.store.facts import SESSION, decision, event, message, order

ROUNDS = {1: 300, 10: 150, 100: 50, 1000: 12}  # by the orders of a group
WARMING = 5  # one round in so many
Cost = tuple[float, float]  # seconds by the clock, seconds of this thread's CPU


def main() -> None:
    print(
        "orders a group | SQLite ms | PostgreSQL ms | rate to SQLite's (quartiles) | CPU of the writer to SQLite's"
    )
    first = 1
    with stores() as (sqlite, postgresql):
        for size, rounds in ROUNDS.items():
            pairs = list[tuple[Cost, Cost]]()
            for number in range(rounds):
                group = orders(first + number * size, size)
                pairs.append((cost(sqlite, group), cost(postgresql, group)))
            first += rounds * size
            print(line(size, pairs[rounds // WARMING :]), flush=True)


@contextmanager
def stores() -> Iterator[tuple[Store, Store]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres.started(in_memory=False) as server,
        closing(open_store(f"sqlite:///{Path(folder)}/store.db")) as sqlite,
        closing(open_store(server.url)) as postgresql,
    ):
        yield sqlite, postgresql


def orders(first: int, size: int) -> Batch:
    batch = Batch()
    for number in range(first, first + size):
        placed = order(number)
        batch.orders[placed.order_id] = placed
        batch.new_cl_ord_ids[SESSION, placed.cl_ord_id] = placed.order_id
        batch.events.append(event(number, body=b"x" * 250))
        batch.decisions.append(decision(number))
        batch.messages.append(message(number, frame=b"x" * 200))
        batch.sessions[SESSION] = Numbers(next_in=number + 1, next_out=number + 1)
        batch.counters["cl_ord_id"] = number
    return batch


def cost(store: Store, group: Batch) -> Cost:
    clock, cpu = perf_counter(), thread_time()
    store.commit(group)
    return perf_counter() - clock, thread_time() - cpu


def line(size: int, pairs: list[tuple[Cost, Cost]]) -> str:
    clocks = [median(pair[store][0] for pair in pairs) * 1000 for store in (0, 1)]
    low, middle, high = quantiles(one[0] / other[0] for one, other in pairs)
    cpu = median(other[1] / one[1] for one, other in pairs)
    return f"{size} | {clocks[0]:.2f} | {clocks[1]:.2f} | {middle:.2f} ({low:.2f}-{high:.2f}) | {cpu:.2f}"


if __name__ == "__main__":
    main()
