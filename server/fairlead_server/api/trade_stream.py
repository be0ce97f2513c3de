"""One client's TradeSession: what it is told, and when its next message is taken.

One task reads and decides, all commands of a message in one go; what one commit has made durable becomes one callback
and one message, whichever messages it came in. Only a command that waits for its venue has a future of its own.

With ``WINDOW`` commands unanswered, or answered and not yet taken by the client, nothing more is read: gRPC's flow
control then holds the client back, and memory is bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from fairlead.v1 import execution_service_pb2 as stream_pb
from fairlead.v1 import order_service_pb2 as pb
from msgspec.structs import replace

from fairlead_server.api import framing, requests
from fairlead_server.api.caller import Caller
from fairlead_server.api.session_watch import DRAINING
from fairlead_server.api.trade_commands import Decided, Terms, TradeCommands, failed
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import Draining, InvalidRequest, StoreUnavailable, StreamReplaced
from fairlead_server.domain.order import Order
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, NewId
from fairlead_server.routing.trade_sessions import TradeSessions
from fairlead_server.routing.watch import Waiter, Watch

WINDOW = 2048  # commands
MOST_COMMANDS = 1000  # of a message; the proto says so of TradeCommands
_MOST_GRACE = 3600.0  # seconds

Requests = AsyncIterator[pb.TradeSessionRequest]


@dataclass(frozen=True, slots=True)
class Desk:
    """What all streams share."""

    commands: TradeCommands
    sessions: TradeSessions
    pipeline: Pipeline
    watch: Watch
    clock: Clock
    new_id: NewId
    server_id: str


class TradeStream:
    cursor = ""  # there is nothing to resume: what has no result is sent again

    def __init__(self, incoming: Requests, caller: Caller, desk: Desk) -> None:
        self._incoming = incoming
        self._desk = desk
        self._terms = Terms(replace(caller, deadline=None))  # its deadline is the stream's, not an order's
        self._patience = self._terms.caller.patience(desk.clock())
        self._sequence = 0
        self._group: asyncio.Future[None] | None = None  # the commit that was last waited for, ...
        self._decided: list[Decided] = []  # ... and what it has to make durable
        self._waiting: set[Waiter] = set()  # for their venue
        self._results: deque[bytes] = deque()  # serialised, not yet taken
        self._unanswered = 0  # commands, those in ``_results`` included
        self._keep_orders: bool | None = None  # as the client said when it took its leave
        self._over = False  # no more commands are taken, ...
        self._hurried = False  # ... and no venue is waited for
        self._why: Exception | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    @property
    def lag(self) -> int:
        return self._unanswered

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Serialised responses until the client takes its leave; raises what ends the stream otherwise."""
        hello = await self._hello()
        self._desk.sessions.open(hello.session_key, _grace(hello), self)
        reading = asyncio.create_task(self._read())
        try:
            await self._desk.pipeline.durable()
            yield self._established()
            while results := await self._next():
                yield results
            if isinstance(self._why, (Draining, StreamReplaced)):
                yield self._ending(self._why)
            if self._why is not None:
                raise self._why
            self._closed(hello)
            await self._desk.pipeline.durable()
        finally:
            self._closed(hello)
            self._hurry()
            reading.cancel()
            await asyncio.wait([reading])

    def end(self, why: StreamReplaced | Draining) -> None:
        self._end(why)
        self._hurry()

    # What comes in.

    async def _hello(self) -> pb.TradeHello:
        async for request in self._incoming:
            validate(request)
            if request.WhichOneof("payload") == "hello":
                self._terms = _terms(self._terms, request.hello)
                return request.hello
            break
        raise InvalidRequest([("payload", "must be hello, first of all")])

    async def _read(self) -> None:
        try:
            async for request in self._incoming:
                if self._over:
                    return
                self._take(request)
                await self._not_too_many()
            self._end(None)
        except Exception as error:  # noqa: BLE001 - raised where the stream is written
            self._end(error)

    async def _not_too_many(self) -> None:
        while self._unanswered >= WINDOW and not self._over:
            self._room.clear()
            await self._room.wait()

    def _take(self, request: pb.TradeSessionRequest) -> None:
        validate(request)
        payload = request.WhichOneof("payload")
        if payload == "commands" and self._keep_orders is None:
            self._decide(request.commands)
        elif payload == "close" and self._keep_orders is None:
            self._keep_orders = request.close.keep_orders
        else:
            raise InvalidRequest([("payload", f"must not be {payload or 'empty'} here")])

    def _decide(self, commands: pb.TradeCommands) -> None:
        self._unanswered += len(commands.commands)
        decided = [self._desk.commands.decide(command, self._terms) for command in commands.commands]
        group = self._desk.pipeline.settling()
        if group is self._group and not group.done():
            self._decided += decided
        else:
            self._group, self._decided = group, decided
            group.add_done_callback(partial(self._settled, decided))

    # What becomes of it.

    def _settled(self, decided: list[Decided], group: asyncio.Future[None]) -> None:
        """The commit that holds them is over; nobody but us would hear of what goes wrong in here."""
        try:
            lost = group.exception() is not None
            for one in decided:
                self._conclude(one, lost=lost)
        except Exception as error:  # noqa: BLE001 - raised where the stream is written
            self._unanswered = 0  # their outcome is not known
            self._end(error)
        self._news.set()

    def _conclude(self, one: Decided, *, lost: bool) -> None:
        course, waiter = one.course, one.waiter
        if waiter is not None and not lost and not self._hurried:
            self._waiting.add(waiter)
            self._desk.watch.tell(waiter, self._patience, partial(self._told, one))
            return
        if waiter is not None:
            self._desk.watch.drop(waiter)
        if isinstance(course, Exception):
            self._results.append(failed(one.correlation_id, course))
        elif lost:
            self._results.append(failed(one.correlation_id, StoreUnavailable()))
        else:
            self._results.append(one.result(course.order))

    def _told(self, one: Decided, order: Order | None) -> None:
        """How the order stands that was waited for, or None if it took too long."""
        assert one.waiter is not None  # noqa: S101 - it was told
        assert not isinstance(one.course, Exception)  # noqa: S101 - a failure waits for nothing
        self._waiting.discard(one.waiter)
        self._results.append(one.result(order or one.course.order))
        self._news.set()

    # What goes out.

    async def _next(self) -> bytes:
        """A message of all results that there are; empty when there will be none any more."""
        while not self._results:
            if self._over and not self._unanswered:
                return b""
            self._news.clear()
            await self._news.wait()
        bodies = framing.taken(self._results)
        self._unanswered -= len(bodies)
        self._room.set()
        return framing.with_results(self._envelope(), bodies)

    def _established(self) -> bytes:
        established = pb.TradeEstablished(
            stream_id=self._desk.new_id(self._desk.clock()),
            server_id=self._desk.server_id,
            window=WINDOW,
            max_commands=MOST_COMMANDS,
        )
        return self._envelope(established=established).SerializeToString()

    def _ending(self, why: Draining | StreamReplaced) -> bytes:
        replaced = stream_pb.StreamEnding(reason=stream_pb.STREAM_ENDING_REASON_REPLACED)
        ending = DRAINING if isinstance(why, Draining) else replaced
        return self._envelope(ending=ending).SerializeToString()

    def _envelope(
        self, established: pb.TradeEstablished | None = None, ending: stream_pb.StreamEnding | None = None
    ) -> pb.TradeSessionResponse:
        self._sequence += 1
        return pb.TradeSessionResponse(stream_sequence=self._sequence, established=established, ending=ending)

    # The end.

    def _end(self, why: Exception | None) -> None:
        """The first reason counts."""
        if not self._over:
            self._over, self._why = True, why
        self._news.set()
        self._room.set()

    def _hurry(self) -> None:
        """What waits for a venue is answered as it stands."""
        self._hurried = True
        for waiter in self._waiting:
            waiter.found.cancel()

    def _closed(self, hello: pb.TradeHello) -> None:
        self._desk.sessions.closed(hello.session_key, self, keep_orders=bool(self._keep_orders))


def _terms(terms: Terms, hello: pb.TradeHello) -> Terms:
    if not hello.HasField("cancel_on_disconnect"):
        return terms
    mortal = hello.cancel_on_disconnect
    accounts = frozenset(mortal.account_ids) or None
    return replace(terms, mark=hello.session_key, accounts=accounts, good_till_too=mortal.good_till_too)


def _grace(hello: pb.TradeHello) -> timedelta | None:
    if not hello.HasField("cancel_on_disconnect"):
        return None
    path = "hello.cancel_on_disconnect."
    return timedelta(
        seconds=requests.seconds(hello.cancel_on_disconnect, "grace", 0.0, 0.0, _MOST_GRACE, path)
    )
