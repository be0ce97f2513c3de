"""Many requests in one call: in their order, each with its own result, decided in one go.

Not atomic, for a venue cannot be rolled back: one item that fails takes nothing from the others. All of a batch is one
synchronous decision, so nothing comes between its items, and its facts are one commit. An item is a function that decides
one request, and raises a :class:`~fairlead_server.domain.errors.RouterError` where it creates nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from fairlead_server.domain.cause import Cause
from fairlead_server.domain.errors import (
    BatchNotPassed,
    BatchStopped,
    InvalidRequest,
    RouterError,
    StoreUnavailable,
)
from fairlead_server.domain.exposure import Assumed
from fairlead_server.domain.reject import Reject
from fairlead_server.domain.terms import NewOrder
from fairlead_server.routing.book import Book
from fairlead_server.routing.order_entry import Answer, OrderEntry
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.store.errors import StoreError

T = TypeVar("T")
Item = Callable[[], T]
Failure = RouterError | StoreError
FAILURES = (RouterError, StoreError)


class Batches:
    def __init__(self, book: Book, entry: OrderEntry, pipeline: Pipeline) -> None:
        self._book = book
        self._entry = entry
        self._pipeline = pipeline

    def each(
        self, items: Sequence[Item[T]], refused: Callable[[T], bool], *, stop_on_error: bool
    ) -> list[T | Failure]:
        """What each item came to. With ``stop_on_error`` nothing is attempted behind one that fails or is refused."""
        results: list[T | Failure] = []
        stopped: BatchStopped | None = None
        for index, item in enumerate(items):
            result: T | Failure = _attempt(item) if stopped is None else stopped
            if stop_on_error and stopped is None and (isinstance(result, FAILURES) or refused(result)):
                stopped = BatchStopped(index)
            results.append(result)
        if self._pipeline.broken:  # before or within the batch: nothing of it becomes durable
            raise StoreUnavailable
        return results

    def submit_all_or_none(
        self, orders: Sequence[Item[NewOrder]], cause: Cause, deadline: datetime | None, now: datetime
    ) -> list[Answer | Failure]:
        """Submit only if all pass; else those that do not are refused, and of the others none is created."""
        trial = _Trial(self._book, self._entry, deadline, now)
        judged = [_attempt(partial(trial.judge, read)) for read in orders]
        failing = [i for i, each in enumerate(judged) if isinstance(each, Exception) or each.reject]
        others = BatchNotPassed(failing[0]) if failing else None

        def conclude(one: _Judged | Failure) -> Answer:
            if isinstance(one, Exception):
                raise one
            if one.reject is not None:
                return self._entry.turn_down(one.new, one.reject, now)
            if others is not None and not one.known:
                raise others
            return self._entry.submit(one.new, cause, deadline, now)

        return self.each([partial(conclude, one) for one in judged], lambda _: False, stop_on_error=False)


@dataclass(frozen=True, slots=True)
class _Judged:
    """``reject`` is None where it passes; ``known`` says that it was there before."""

    new: NewOrder
    reject: Reject | None
    known: bool


class _Trial:
    """Judges orders one after the other, each as if those before it that pass were accepted. Decides nothing."""

    def __init__(self, book: Book, entry: OrderEntry, deadline: datetime | None, now: datetime) -> None:
        self._book = book
        self._entry = entry
        self._deadline = deadline
        self._now = now
        self._assumed = Assumed(book.exposures.tracked)
        self._passed: dict[tuple[str, str], NewOrder] = {}

    def judge(self, read: Item[NewOrder]) -> _Judged:
        new = read()
        key = new.account_id, new.client_order_id
        if key in self._passed:  # one order, named twice
            if self._passed[key].differing_fields(new):
                raise InvalidRequest([("client_order_id", "is that of another order of the batch")])
            return _Judged(new, None, known=False)
        reject = self._entry.examine(new, self._deadline, self._now, self._assumed)
        known = self._book.by_client_order_id(*key) is not None
        if reject is None:
            self._passed[key] = new
            if not known:
                self._assumed.add(new, self._entry.session_for(new))
        return _Judged(new, reject, known)


def _attempt(item: Item[T]) -> T | Failure:
    try:
        return item()
    except FAILURES as error:
        return error
