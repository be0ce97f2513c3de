"""Commits and dies, for ``test_crash``. Run as a process of its own: ``python -m tests.store.crash_child``."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

from fairlead_server.store.database import open_store

from tests.store.facts import whole
from tests.store.opened import writer

SIZE = 20


def go_on(url: str) -> None:
    """Commit group after group until killed, and say each number once it is durable."""
    store = open_store(url)
    for number in count(store.head() // SIZE + 1):
        store.commit(whole(number, SIZE))
        print(number, flush=True)


def die_at_each_statement(folder: Path) -> None:
    """Commit a group, then die just before statement 1, 2, 3, ... of the next, each time on a copy of the store."""
    store = open_store(f"sqlite:///{folder}/first")
    store.commit(whole(1, SIZE))
    store.close()
    for statement in count(1):
        copy = shutil.copy(folder / "first", folder / f"{statement}.db")
        child = os.fork()
        if not child:
            die_at(f"sqlite:///{copy}", statement)
            os._exit(0)  # there was no such statement: the second group is whole as well
        if not os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            return


def die_at(url: str, statement: int) -> None:
    store = open_store(url)
    seen = count(1)

    def before_each(_: str) -> None:
        if next(seen) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    connection = writer(store).raw_connection()
    assert connection.driver_connection is not None
    connection.driver_connection.set_trace_callback(before_each)
    connection.close()
    store.commit(whole(2, SIZE))


if __name__ == "__main__":
    if sys.argv[1] == "go-on":
        go_on(sys.argv[2])
    die_at_each_statement(Path(sys.argv[2]))
