"""PositionService: what is held, what it has earned, and what was done on each day. Knows no transport."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Protocol

from fairlead.v1 import position_service_pb2 as pb

from fairlead_server.api import requests
from fairlead_server.api.caller import Caller
from fairlead_server.api.position_watch import PositionWatch
from fairlead_server.api.positions import Positions
from fairlead_server.api.tokens import Tokens, filter_id
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.domain.position import DayTotal, HoldingKey, TotalKey
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.position_news import PositionNews
from fairlead_server.store.holdings import DayQuery


class DayReader(Protocol):
    def list_day_totals(self, query: DayQuery) -> list[tuple[TotalKey, DayTotal]]: ...


class PositionService:
    def __init__(
        self, positions: Positions, days: DayReader, news: PositionNews, tokens: Tokens, clock: Clock
    ) -> None:
        self._positions = positions
        self._days = days
        self._news = news
        self._tokens = tokens
        self._clock = clock

    async def list_positions(
        self,
        request: pb.ListPositionsRequest,
        caller: Caller,
    ) -> pb.ListPositionsResponse:
        validate(request)
        criteria, now = request.filter, self._clock()
        digest = filter_id(criteria) ^ filter_id(
            pb.ListPositionsRequest(sum_strategies=request.sum_strategies)
        )
        after: HoldingKey | None = None
        if request.page_token:
            account_id, instrument_id, strategy_id = self._tokens.open_page(
                request.page_token, digest, str, str, str
            )
            after = account_id, instrument_id, strategy_id
        keys = self._positions.wanted(criteria)
        if request.sum_strategies:
            found = list(self._positions.sums(keys, now))
        else:
            found = [self._positions.shown(key, now) for key in keys if after is None or key > after]
        if after is not None:
            found = [each for each in found if _key(each) > after]
        if criteria.non_flat_only:
            found = [each for each in found if each.quantity != "0"]
        size = requests.page_size(request.page_size)
        token = self._tokens.page(digest, *_key(found[size - 1])) if len(found) > size else ""
        return pb.ListPositionsResponse(positions=found[:size], next_page_token=token)

    async def get_position(
        self,
        request: pb.GetPositionRequest,
        caller: Caller,
    ) -> pb.GetPositionResponse:
        validate(request)
        key, now = (request.account_id, request.instrument_id, request.strategy_id), self._clock()
        if not request.sum_strategies:
            return pb.GetPositionResponse(position=self._positions.shown(key, now))
        if request.strategy_id:
            raise InvalidRequest([("strategy_id", "must be empty where all strategies are summed")])
        criteria = pb.PositionFilter(account_ids=key[:1], instrument_ids=key[1:2])
        keys = self._positions.wanted(criteria) or [key]
        [position] = self._positions.sums(keys, now)
        return pb.GetPositionResponse(position=position)

    async def list_daily_totals(
        self,
        request: pb.ListDailyTotalsRequest,
        caller: Caller,
    ) -> pb.ListDailyTotalsResponse:
        validate(request)
        same = pb.ListDailyTotalsRequest()
        same.CopyFrom(request)
        same.ClearField("page_size")
        same.ClearField("page_token")
        digest, size = filter_id(same), requests.page_size(request.page_size)
        after: TotalKey | None = None
        if request.page_token:
            day, *rest = self._tokens.open_page(request.page_token, digest, str, str, str, str, str)
            after = date.fromisoformat(day), rest[0], rest[1], rest[2], rest[3]
        query = DayQuery(
            tuple(request.account_ids),
            tuple(request.instrument_ids),
            tuple(request.strategy_ids),
            tuple(request.session_ids),
            _day("start_day", request.start_day),
            _day("end_day", request.end_day),
            after,
            size + 1,
        )
        found = await asyncio.to_thread(self._days.list_day_totals, query)
        response = pb.ListDailyTotalsResponse(totals=[self._positions.total(*each) for each in found[:size]])
        if len(found) > size:
            day, *names = found[size - 1][0]
            response.next_page_token = self._tokens.page(digest, day.isoformat(), *names)
        return response

    async def watch_positions(
        self,
        request: pb.WatchPositionsRequest,
        caller: Caller,
    ) -> PositionWatch:
        validate(request)
        heartbeat = requests.heartbeat(request)
        return PositionWatch(self._positions, request.filter, heartbeat, self._news, self._clock)


def _key(position: pb.Position) -> HoldingKey:
    return position.account_id, position.instrument_id, position.strategy_id


def _day(field: str, text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest([(field, "must be a day such as 2026-11-20")]) from None
