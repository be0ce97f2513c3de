"""The calls of both clients about positions, and watches of them over as many streams as it takes.

Each stream begins with all positions. What a watch yields is only what is news to its reader: positions that look
different from when they were last yielded, and those that it does not follow any more.
"""

from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Mapping
from contextlib import aclosing
from datetime import date
from typing import NamedTuple, TypeAlias, TypedDict, Unpack

import grpc
from google.protobuf.duration_pb2 import Duration
from grpc import aio

from fairlead.calling import AsyncCalls, Calls
from fairlead.connection import call_metadata
from fairlead.errors import FairleadError, StreamLost
from fairlead.following import SILENCE, Resumption
from fairlead.pages import AsyncListing, Listing, Page
from fairlead.retry import LIST, READ, Retry
from fairlead.streams import AsyncStreams, Streams
from fairlead.v1.position_service_pb2 import (
    DailyTotal,
    GetPositionRequest,
    ListDailyTotalsRequest,
    ListPositionsRequest,
    Position,
    PositionFilter,
    WatchPositionsRequest,
    WatchPositionsResponse,
)
from fairlead.v1.position_service_pb2_grpc import PositionServiceStub


class PositionQuery(TypedDict, total=False):
    """Which positions; what is not given does not matter."""

    account_ids: Iterable[str]
    instrument_ids: Iterable[str]
    strategy_ids: Iterable[str]
    non_flat_only: bool


class DayQuery(TypedDict, total=False):
    """Which daily totals; what is not given does not matter. Both days are included."""

    account_ids: Iterable[str]
    instrument_ids: Iterable[str]
    strategy_ids: Iterable[str]
    session_ids: Iterable[str]
    start_day: date | None
    end_day: date | None


class PositionGone(NamedTuple):
    """It was held when it was last told of, and is not any more; how it ended was missed in an outage."""

    account_id: str
    instrument_id: str
    strategy_id: str


PositionUpdate: TypeAlias = Position | PositionGone


class PositionFollower:
    """What one watcher knows. Owned by one watch."""

    finished = False  # a watch has no end of its own

    def __init__(self, request: WatchPositionsRequest, retry: Retry) -> None:
        self._request = request
        self._streams = Resumption(retry)
        self._known: dict[PositionGone, Position] = {}
        self._present: set[PositionGone] = set()  # in the snapshot, as far as it has come

    def opening(self) -> WatchPositionsRequest:
        self._streams.begin()
        self._present.clear()
        return self._request

    def deliver(self, message: WatchPositionsResponse) -> Iterator[PositionUpdate]:
        self._streams.count(message.stream_sequence)
        self._streams.came_through()
        match message.WhichOneof("payload"):
            case "snapshot":
                self._present.update(map(_key, message.snapshot.positions))
                yield from self._changed(message.snapshot.positions)
                if not message.snapshot.more:
                    self._streams.opened()
                    gone = sorted(self._known.keys() - self._present)
                    for key in gone:
                        del self._known[key]
                    yield from gone
            case "changes":
                yield from self._changed(message.changes.positions)
            case "ending":
                self._streams.ending(message.ending)
            case _:  # a heartbeat, or what a newer server adds
                return

    def ended(self) -> None:
        raise StreamLost("the server ended the stream")

    def failed(self, error: FairleadError) -> float:
        return self._streams.failed(error)

    def _changed(self, positions: Iterable[Position]) -> Iterator[Position]:
        for position in positions:
            if position != self._known.get(_key(position)):
                self._known[_key(position)] = position
                yield position
            if self._request.filter.non_flat_only and position.quantity == "0":
                del self._known[_key(position)]


class AsyncPositionWatch(AsyncStreams[WatchPositionsRequest, WatchPositionsResponse, PositionUpdate]):
    """Follows positions in asyncio; iterating leaves out those that are gone, ``updates()`` does not."""

    async def __aiter__(self) -> AsyncGenerator[Position, None]:
        async with aclosing(self.updates()) as updates:
            async for update in updates:
                if isinstance(update, Position):
                    yield update


class PositionWatch(Streams[WatchPositionsRequest, WatchPositionsResponse, PositionUpdate]):
    """Follows positions in the calling thread; iterating leaves out those that are gone, ``updates()`` does not."""

    def __iter__(self) -> Generator[Position, None, None]:
        for update in self.updates():
            if isinstance(update, Position):
                yield update


class PositionCalls(Calls):
    def __init__(self, channel: grpc.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        super().__init__(channel, metadata, retry)
        self._positions = PositionServiceStub(channel)

    def list_positions(
        self,
        *,
        sum_strategies: bool = False,
        page_size: int = 0,
        timeout: float | None = None,
        **query: Unpack[PositionQuery],
    ) -> Listing[Position]:
        """With `sum_strategies` one position an account and instrument instead of one a strategy."""
        request = _list(query, sum_strategies=sum_strategies, page_size=page_size)

        def fetch(page_token: str) -> Page[Position]:
            request.page_token = page_token
            page = self._call(self._positions.ListPositions, request, LIST, timeout)
            return Page(page.positions, page.next_page_token)

        return Listing(fetch)

    def get_position(
        self,
        account_id: str,
        instrument_id: str,
        strategy_id: str = "",
        *,
        sum_strategies: bool = False,
        timeout: float | None = None,
    ) -> Position:
        request = _get(account_id, instrument_id, strategy_id, sum_strategies=sum_strategies)
        return self._call(self._positions.GetPosition, request, READ, timeout).position

    def list_daily_totals(
        self, *, page_size: int = 0, timeout: float | None = None, **query: Unpack[DayQuery]
    ) -> Listing[DailyTotal]:
        request = _days(query, page_size)

        def fetch(page_token: str) -> Page[DailyTotal]:
            request.page_token = page_token
            page = self._call(self._positions.ListDailyTotals, request, LIST, timeout)
            return Page(page.totals, page.next_page_token)

        return Listing(fetch)

    def watch_positions(self, *, heartbeat: float = 5.0, **query: Unpack[PositionQuery]) -> PositionWatch:
        """Follow these positions, or all; nothing is asked of the server before iteration begins."""
        metadata = call_metadata(self._metadata)
        return PositionWatch(
            lambda opening: self._positions.WatchPositions(opening, metadata=metadata),
            PositionFollower(_watch(query, heartbeat), self._retry),
            SILENCE * heartbeat,
        )


class AsyncPositionCalls(AsyncCalls):
    def __init__(self, channel: aio.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        super().__init__(channel, metadata, retry)
        self._positions = PositionServiceStub(channel)

    def list_positions(
        self,
        *,
        sum_strategies: bool = False,
        page_size: int = 0,
        timeout: float | None = None,
        **query: Unpack[PositionQuery],
    ) -> AsyncListing[Position]:
        """With `sum_strategies` one position an account and instrument instead of one a strategy."""
        request = _list(query, sum_strategies=sum_strategies, page_size=page_size)

        async def fetch(page_token: str) -> Page[Position]:
            request.page_token = page_token
            page = await self._call(self._positions.ListPositions, request, LIST, timeout)
            return Page(page.positions, page.next_page_token)

        return AsyncListing(fetch)

    async def get_position(
        self,
        account_id: str,
        instrument_id: str,
        strategy_id: str = "",
        *,
        sum_strategies: bool = False,
        timeout: float | None = None,
    ) -> Position:
        request = _get(account_id, instrument_id, strategy_id, sum_strategies=sum_strategies)
        return (await self._call(self._positions.GetPosition, request, READ, timeout)).position

    def list_daily_totals(
        self, *, page_size: int = 0, timeout: float | None = None, **query: Unpack[DayQuery]
    ) -> AsyncListing[DailyTotal]:
        request = _days(query, page_size)

        async def fetch(page_token: str) -> Page[DailyTotal]:
            request.page_token = page_token
            page = await self._call(self._positions.ListDailyTotals, request, LIST, timeout)
            return Page(page.totals, page.next_page_token)

        return AsyncListing(fetch)

    def watch_positions(
        self, *, heartbeat: float = 5.0, **query: Unpack[PositionQuery]
    ) -> AsyncPositionWatch:
        """Follow these positions, or all; nothing is asked of the server before iteration begins."""
        metadata = call_metadata(self._metadata)
        return AsyncPositionWatch(
            lambda opening: self._positions.WatchPositions(opening, metadata=metadata),
            PositionFollower(_watch(query, heartbeat), self._retry),
            SILENCE * heartbeat,
        )


def _filter(query: PositionQuery) -> PositionFilter:
    return PositionFilter(
        account_ids=_names(query.get("account_ids", ())),
        instrument_ids=_names(query.get("instrument_ids", ())),
        strategy_ids=_names(query.get("strategy_ids", ())),
        non_flat_only=query.get("non_flat_only", False),
    )


def _list(query: PositionQuery, *, sum_strategies: bool, page_size: int) -> ListPositionsRequest:
    return ListPositionsRequest(filter=_filter(query), sum_strategies=sum_strategies, page_size=page_size)


def _get(
    account_id: str, instrument_id: str, strategy_id: str, *, sum_strategies: bool
) -> GetPositionRequest:
    return GetPositionRequest(
        account_id=account_id,
        instrument_id=instrument_id,
        strategy_id=strategy_id,
        sum_strategies=sum_strategies,
    )


def _days(query: DayQuery, page_size: int) -> ListDailyTotalsRequest:
    begin, end = query.get("start_day"), query.get("end_day")
    return ListDailyTotalsRequest(
        account_ids=_names(query.get("account_ids", ())),
        instrument_ids=_names(query.get("instrument_ids", ())),
        strategy_ids=_names(query.get("strategy_ids", ())),
        session_ids=_names(query.get("session_ids", ())),
        start_day=begin.isoformat() if begin else "",
        end_day=end.isoformat() if end else "",
        page_size=page_size,
    )


def _watch(query: PositionQuery, heartbeat: float) -> WatchPositionsRequest:
    interval = Duration()
    interval.FromMilliseconds(round(1000 * heartbeat))
    return WatchPositionsRequest(filter=_filter(query), heartbeat_interval=interval)


def _names(values: Iterable[str]) -> list[str]:
    return [values] if isinstance(values, str) else list(values)


def _key(position: Position) -> PositionGone:
    return PositionGone(position.account_id, position.instrument_id, position.strategy_id)
