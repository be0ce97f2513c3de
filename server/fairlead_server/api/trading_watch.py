"""One watcher's stream of trading states: all that are not ACTIVE, then each again whenever it looks different.

What a slow reader has missed is never caught up with step by step: it is sent how the scopes stand when it reads on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from fairlead.v1 import trading_control_service_pb2 as pb

from fairlead_server.api import trading_states
from fairlead_server.api.session_watch import DRAINING, GAP
from fairlead_server.api.times import timestamp
from fairlead_server.domain.errors import Draining
from fairlead_server.domain.scope import Scope
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.trading_states import TradingStates

_Shown = dict[Scope, pb.ScopeState]


class TradingWatch:
    cursor = ""  # a watch begins anew, it does not resume

    def __init__(self, states: TradingStates, heartbeat: float, clock: Clock) -> None:
        self._states = states
        self._heartbeat = heartbeat
        self._clock = clock
        self._stream_sequence = 0
        self._heartbeat_at = 0.0  # by the event loop's clock
        self._sent: _Shown = {}

    @property
    def lag(self) -> int:
        """Scopes that have changed since what was sent last."""
        return len(self._changes(self._look()))

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Serialised responses without an end; raises Draining when the server goes down."""
        news = self._states.news
        seen = news.count
        self._sent = self._look()
        yield self._message(snapshot=pb.TradingStateSnapshot(states=self._sent.values()))
        while not news.closed:
            patience = self._heartbeat_at - asyncio.get_running_loop().time()
            told = await news.beyond(seen, patience)
            seen = news.count
            found = self._look()
            changes = self._changes(found)
            if changes:
                self._sent = found
                yield self._message(changes=pb.TradingStateChanges(states=changes))
                await asyncio.sleep(GAP)
            elif not told and not news.closed:
                yield self._message(heartbeat=pb.TradingStateHeartbeat(server_time=timestamp(self._clock())))
        yield self._message(ending=DRAINING)
        raise Draining

    def _look(self) -> _Shown:
        return {halt.scope: trading_states.state(self._states.progress(halt)) for halt in self._states.all()}

    def _changes(self, found: _Shown) -> list[pb.ScopeState]:
        gone = [trading_states.active(scope) for scope in self._sent if scope not in found]
        return [state for scope, state in found.items() if state != self._sent.get(scope)] + gone

    def _message(self, **payload: Any) -> bytes:
        self._stream_sequence += 1
        self._heartbeat_at = asyncio.get_running_loop().time() + self._heartbeat
        message = pb.WatchTradingStatesResponse(
            stream_sequence=self._stream_sequence, send_time=timestamp(self._clock()), **payload
        )
        return message.SerializeToString()
