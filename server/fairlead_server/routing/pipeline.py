"""Decide, commit, act: the one way in which anything changes.

Decisions are synchronous and append facts to the open :class:`~fairlead_server.store.batch.Batch`, with what is to be
done once they are durable. What has piled up is committed in one transaction, of which one writer thread does what has
to wait; meanwhile the next group fills, so groups are as large as the load makes them. Only then are the acts of the
group performed, in the order in which they were decided.

A decision that comes alone is committed at once. After a group of several decisions the next may fill for as long as
there is more to decide, a hundredth of a second at most: a commit of ten orders takes twice what one of one does.

When a commit fails nothing of that group, nor of the one that was filling, is acted on: whoever waits is told,
``on_failure`` is called, and every decision is refused until :meth:`Pipeline.resume`. The same happens when a decision
dies halfway, which is a bug: memory is ahead of what may become durable, so it is rebuilt from the store.

A commit that fails by a fault of our own is no different, but for that the next ones hold one decision each, until it is
known what cannot be made durable; see :mod:`~fairlead_server.routing.suspects`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial

from fairlead_server.domain.errors import NotStorable, RouterError, StoreUnavailable
from fairlead_server.routing.suspects import Suspects
from fairlead_server.store.batch import Batch

_log = logging.getLogger(__name__)

Act = Callable[[], None]
Begin = Callable[[Batch], Act]
"""Begins to make a batch durable, which takes no waiting; what it returns is left to do, on the writer thread."""

_LULL = 0.0006  # seconds in which nothing more is decided, so that a group has filled
_LONGEST = 0.01  # seconds for which it may


@dataclass(slots=True)
class _Group:
    batch: Batch = field(default_factory=Batch)
    acts: list[Act] = field(default_factory=list)
    done: asyncio.Future[None] | None = None  # made when somebody waits
    origins: list[str] = field(default_factory=list)  # of its decisions, as far as they are named
    decisions: int = 0

    def __bool__(self) -> bool:
        return bool(self.batch or self.acts)

    @property
    def size(self) -> int:
        return self.batch.size + len(self.acts)


@dataclass(slots=True, eq=False)
class _Write:
    write: Callable[[bytes], None]
    data: bytearray

    def __call__(self) -> None:
        self.write(bytes(self.data))


class _Decision(AbstractContextManager[None]):
    """One of the many: written out, for a generator would take four times as long."""

    def __init__(
        self, decided: Callable[[str], None], abandon: Callable[[Exception], None], origin: str
    ) -> None:
        self._decided = decided
        self._abandon = abandon
        self._origin = origin

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if error is None:
            self._decided(self._origin)
        elif isinstance(error, Exception) and not isinstance(error, RouterError):
            self._abandon(error)


class Pipeline:
    """Belongs to one event loop. Only what ``begin`` returns runs elsewhere, on the writer thread, one group at a time."""

    def __init__(
        self,
        begin: Begin,
        committed: Callable[[Batch], None],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._begin = begin
        self._committed = committed
        self._on_failure = on_failure
        self._writer = ThreadPoolExecutor(1, "writer")
        self._open = _Group()
        self._sealed: deque[_Group] = (
            deque()
        )  # of one decision each, where that is wanted; before the open one
        self._writing: _Group | None = None
        self._suspects = Suspects(lambda: asyncio.get_running_loop().time())
        self._scheduled = False
        self._busy = False  # the last group was of several decisions
        self.broken = False
        self._lost: BaseException | None = None
        self._told = False  # ``on_failure``, of what was lost

    def deciding(self, origin: str = "") -> AbstractContextManager[None]:
        """Around each decision. A :class:`RouterError` must come before the decision's first fact.

        ``origin`` names what asks for it; raises NotStorable for one that cannot be made durable.
        """
        if self.broken:
            raise StoreUnavailable
        if origin and self._suspects.convicted(origin):
            raise NotStorable(origin)
        return _Decision(self._decided, self._abandon, origin)

    def _decided(self, origin: str) -> None:
        self._open.decisions += 1
        if origin:
            self.comes_of(origin)
        if self._suspects.wary:
            self._seal()

    def comes_of(self, origin: str) -> None:
        """Part of a decision: what is being decided comes of ``origin``."""
        self._open.origins.append(origin)

    def convicted(self, origin: str) -> bool:
        """Whether what comes of ``origin`` cannot be made durable, as often as it was tried."""
        return self._suspects.convicted(origin)

    @property
    def wary(self) -> bool:
        """Whether each decision is a commit by itself, so that it is seen which of them fails."""
        return self._suspects.wary

    @property
    def waiting_messages(self) -> int:
        """How many messages of sessions wait to be made durable."""
        return sum(len(group.batch.messages) for group in (*self._sealed, self._open))

    @property
    def batch(self) -> Batch:
        """Where a decision puts its facts; they are committed soon after the decision returns."""
        self._schedule()
        return self._open.batch

    def then(self, act: Act) -> None:
        """Do this when what has been decided so far is durable."""
        self._schedule()
        self._open.acts.append(act)

    def then_write(self, write: Callable[[bytes], None], data: bytes) -> None:
        """The same for bytes; what directly follows others that are written alike goes with them, in one piece."""
        last = self._open.acts[-1] if self._open.acts else None
        if isinstance(last, _Write) and last.write is write:
            last.data += data
        else:
            self.then(_Write(write, bytearray(data)))

    async def durable(self) -> None:
        """Wait until all that has been decided is durable and acted on; raises when it was lost.

        A caller that gives up does not take the others' wait with it.
        """
        await asyncio.shield(self.settling())

    def settling(self) -> asyncio.Future[None]:
        """What :meth:`durable` waits for: one future for all who wait for a group, to be looked at, never cancelled."""
        group = self._open or (self._sealed[-1] if self._sealed else self._writing)
        if group is None:
            return self._settled()
        if group.done is None:
            group.done = asyncio.get_running_loop().create_future()
        return group.done

    def _settled(self) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.broken:
            _fail(done)
        else:
            done.set_result(None)
        return done

    def resume(self) -> None:
        """Memory has been rebuilt from the store, and the store takes writes again."""
        self.broken = self._told = False
        self._lost = None

    async def close(self) -> None:
        """Finish what is decided, and what comes of it, then let the writer go; nothing is decided any more."""
        with suppress(StoreUnavailable):
            while not self.broken and (self._open or self._sealed or self._writing is not None):
                await self.durable()
        if self.broken:
            _log.error("closing with a store that takes no writes: what was decided last is not durable")
        self.broken = True
        self._writer.shutdown()

    def _schedule(self) -> None:
        if not self._scheduled and self._writing is None:
            self._scheduled = True
            loop = asyncio.get_running_loop()
            if self._busy:
                loop.call_soon(self._let_fill, loop, loop.time() + _LONGEST, 0)
            else:
                loop.call_soon(self._write)

    def _let_fill(self, loop: asyncio.AbstractEventLoop, until: float, before: int) -> None:
        now, size = loop.time(), self._open.size
        if size == before or now >= until:
            self._write()
        else:
            loop.call_at(min(until, now + _LULL), self._let_fill, loop, until, size)

    def _write(self) -> None:
        """The next group, one at a time: the writer has one connection."""
        self._scheduled = False
        if self.broken or self._writing is not None or not (self._sealed or self._open):
            return
        if not self._sealed:
            self._seal()
        group = self._sealed.popleft()
        self._writing = group
        self._busy = group.decisions > 1
        try:
            rest = self._begin(group.batch)
        except Exception as error:  # noqa: BLE001 - told to whoever waits, as one on the writer thread is
            self._finish(group, error)
            return
        future = asyncio.get_running_loop().run_in_executor(self._writer, rest)
        future.add_done_callback(lambda done: self._finish(group, done.exception()))

    def _finish(self, group: _Group, error: BaseException | None) -> None:
        self._writing = None
        if error is not None:
            _log.critical("a commit failed, nothing of it was acted on: %s", error)
            _tell_lost(group)
            self._suspects.failed(group.origins, error)
            self._break(error)
        else:
            self._suspects.committed(group.origins)
            for act in group.acts:
                _perform(act)
            _perform(partial(self._committed, group.batch))
            if group.done is not None:
                group.done.set_result(None)
        if self._lost is not None:
            self._tell()
        elif self._sealed:
            self._write()
        elif self._open:
            self._schedule()

    def _abandon(self, error: Exception) -> None:
        _log.critical("a decision died halfway; starting again from the store", exc_info=error)
        self._break(error)
        if self._writing is None:  # else what is being written is finished first: it was decided whole
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """Once, however many decisions have died: each telling has memory rebuilt, and only one may do that."""
        if self._lost is not None and not self._told:
            self._told = True
            self._on_failure(self._lost)

    def _break(self, error: BaseException) -> None:
        self.broken = True
        self._lost = error
        self._seal()
        while self._sealed:
            _tell_lost(self._sealed.popleft())

    def _seal(self) -> None:
        if self._open:
            self._sealed.append(self._open)
        self._open = _Group()


def _tell_lost(group: _Group) -> None:
    if group.done is not None:
        _fail(group.done)


def _fail(done: asyncio.Future[None]) -> None:
    done.set_exception(StoreUnavailable())
    done.exception()  # whoever waited may be gone: that is no error of its own


def _perform(act: Act) -> None:
    """One act that fails is a bug, but no reason to leave the others undone: the facts are durable."""
    try:
        act()
    except Exception:  # noqa: BLE001 - and logged
        _log.exception("an act failed after its commit")
