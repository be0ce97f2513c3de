"""An event loop whose time is a number: it jumps to the next thing due, and nothing happens but what was scheduled.

So whatever runs on it, product code with its tasks, timers and threads included, does the same each time, and an hour
takes as long as what happens within it. Each thing belongs to the process that scheduled it; what belongs to a process
that was killed never runs.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from inspect import CORO_CREATED, getcoroutinestate
from random import Random
from types import CoroutineType
from typing import Any, TypeVar, cast

_MOST = 1_000_000  # steps of one run; whoever takes more turns in circles


class Killed(BaseException):
    """Unwinds what a process was doing when it died."""


class Process:
    """A name and a life: :meth:`run` begins what belongs to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.context = copy_context()
        self.context.run(_PROCESS.set, self)

    def run(self, begin: Callable[[], object]) -> None:
        with suppress(Killed):
            self.context.run(begin)

    def check(self) -> None:
        """Nothing outside is touched by the dead."""
        if not self.alive:
            raise Killed


_PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
_Entry = tuple[float, int, asyncio.Handle, Process | None]
_Handle = TypeVar("_Handle", bound=asyncio.Handle)


class Loop:
    """As much of one as asyncio asks for. ``patience`` is by how much work in a thread is late, at most, in seconds."""

    def __init__(self, chance: Random, patience: float) -> None:
        self._self = cast("asyncio.AbstractEventLoop", self)
        self._chance = chance
        self.patience = patience
        self._now = 0.0
        self._count = itertools.count()
        self._due: list[_Entry] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.connect: Callable[..., Coroutine[Any, Any, Any]] | None = None
        self.uncaught: list[str] = []

    # Running.

    def run_until(self, when: float) -> None:
        """Everything that is due by then."""
        asyncio._set_running_loop(self._self)
        try:
            while self._due and self._due[0][0] <= when:
                due, number, handle, process = heapq.heappop(self._due)
                assert number < _MOST, "this never comes to rest"
                self._now = max(self._now, due)
                if not handle.cancelled() and (process is None or process.alive):
                    handle._run()
            self._now = max(self._now, when)
        finally:
            asyncio._set_running_loop(None)

    def end(self) -> None:
        """Whatever has not run never will."""
        self._due.clear()
        for task in self._tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            work = task.get_coro()
            if isinstance(work, CoroutineType) and getcoroutinestate(work) == CORO_CREATED:
                work.close()  # else Python warns that nobody has awaited it
        self._tasks.clear()

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        return self._schedule(self._now, asyncio.Handle(callback, args, self._self, context), context)

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self._schedule(when, asyncio.TimerHandle(when, callback, args, self._self, context), context)

    def _schedule(self, when: float, handle: _Handle, context: Context | None) -> _Handle:
        process = _PROCESS.get() if context is None else context.get(_PROCESS)
        entry: _Entry = (max(when, self._now), next(self._count), handle, process)
        heapq.heappush(self._due, entry)
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._self)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self._self, name=name, context=context)
        self._tasks.append(task)
        return task

    def run_in_executor(
        self, executor: object, func: Callable[..., object], *args: Any
    ) -> asyncio.Future[Any]:
        """On this thread, after a while."""
        future = self.create_future()
        self.call_later(self._chance.random() * self.patience, self._work, future, func, args)
        return future

    def _work(self, future: asyncio.Future[Any], func: Callable[..., object], args: Any) -> None:
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            if not future.cancelled():
                future.set_exception(error)
        else:
            if not future.cancelled():
                future.set_result(result)

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        assert self.connect is not None
        return await self.connect(factory)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, Killed):
            self.uncaught.append(f"{context.get('message')}: {error!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False
