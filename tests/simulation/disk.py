"""The store as a disk that outlives processes: it can fail, before or after it has written, and processes die at it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from fairlead_server.fix.terms import Sent
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Snapshot, Store, StoreError, open_store

from tests.simulation.loop import Process
from tests.simulation.network import Effect
from tests.stores import empty


class Disk(Store):
    """``failing`` is how many commits still fail; ``written`` whether they are durable nevertheless.

    While it fails nothing can be read either.
    """

    def __init__(self, store: Store, effect: Effect) -> None:
        super().__init__(store._url, store._database, store._faults)
        self._effect = effect
        self.process: Process | None = None
        self.failing = 0
        self.written = False
        self.commits = 0
        self.problems: list[str] = []

    def begin(self, batch: Batch) -> Callable[[], None]:
        """Every other failure shows at once, where nothing of it is to be written."""
        self._has("begin")
        if self.failing % 2 and not self.written:
            self.failing -= 1
            raise self._full()
        return partial(self._write, batch)

    def _write(self, batch: Batch) -> None:
        self._has("commit")
        failing, self.failing = self.failing > 0, max(self.failing - 1, 0)
        if not failing or self.written:
            self._rest(batch)
            self.commits += 1
        if failing:
            raise self._full()
        self._has("committed")

    def _full(self) -> StoreError:
        return StoreError(self._url, "the disk is full", "free some space on the disk")

    def _rest(self, batch: Batch) -> None:
        """A store that is sound takes whatever is decided."""
        try:
            super().begin(batch)()
        except StoreError as error:
            self.problems.append(f"a commit was refused: {error}")
            raise

    def sent(self, session_id: str, epoch: int, begin: int, end: int) -> list[Sent]:
        self._read()
        return super().sent(session_id, epoch, begin, end)

    def load(self, now: datetime, recent: timedelta = timedelta()) -> Snapshot:
        self._read()
        return super().load(now, recent)

    def truth(self, now: datetime) -> Snapshot:
        """What is on it, also while it fails: for those who look at this world from outside."""
        return super().load(now)

    def _has(self, effect: str) -> None:
        if self.process is not None:
            self._effect(self.process, effect)

    def _read(self) -> None:
        if self.failing:
            raise StoreError(self._url, "the disk is broken", "replace the disk")


class Disks:
    """One database that each run finds empty: to make one takes longer than a whole run."""

    def __init__(self) -> None:
        self._store = open_store("sqlite://")

    def empty(self, effect: Effect) -> Disk:
        empty(self._store)
        return Disk(self._store, effect)

    def close(self) -> None:
        self._store.close()
