"""The calls of both clients that are the levers of the operations desk."""

from collections.abc import Mapping
from typing import Unpack

import grpc
from grpc import aio

from fairlead import requests
from fairlead.calling import AsyncCalls, Calls
from fairlead.retry import BATCH, KILL, OPERATION, PRICES, READ, Retry
from fairlead.v1.trading_control_service_pb2 import (
    ActivateKillSwitchResponse,
    ApproveLiveRequest,
    DeadManSwitch,
    DisarmDeadManSwitchRequest,
    FlattenResponse,
    FlattenState,
    GetFlattenRequest,
    GetTradingStateRequest,
    ListDeadManSwitchesRequest,
    ListFlattensRequest,
    ListLiveGatesRequest,
    ListTradingStatesRequest,
    LiveGate,
    ReleaseKillSwitchResponse,
    RequestLiveRequest,
    RevokeLiveRequest,
    ScopeState,
    SetTradingStateResponse,
)
from fairlead.v1.trading_control_service_pb2_grpc import TradingControlServiceStub
from fairlead.values import TradingScope, TradingState


class ControlCalls(Calls):
    def __init__(self, channel: grpc.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        super().__init__(channel, metadata, retry)
        self._control = TradingControlServiceStub(channel)

    def set_trading_state(
        self,
        state: TradingState,
        *,
        reason: str,
        request_id: str | None = None,
        timeout: float | None = None,
        **scope: Unpack[TradingScope],
    ) -> SetTradingStateResponse:
        """Pause a scope, let it only reduce its positions, or let it trade again (ACTIVE)."""
        request = requests.set_trading_state(scope, state, reason, request_id)
        return self._call(self._control.SetTradingState, request, BATCH, timeout)

    def activate_kill_switch(
        self,
        *,
        reason: str,
        wait: float = 2.0,
        request_id: str | None = None,
        timeout: float | None = None,
        **scope: Unpack[TradingScope],
    ) -> ActivateKillSwitchResponse:
        """Stop a scope and cancel all its orders; ``response.state.kill`` says whether that is complete.

        The answer waits for that, up to `wait` seconds.
        """
        request = requests.activate_kill_switch(scope, reason, wait, request_id)
        return self._call(self._control.ActivateKillSwitch, request, KILL, timeout)

    def release_kill_switch(
        self,
        *,
        reason: str,
        request_id: str | None = None,
        timeout: float | None = None,
        **scope: Unpack[TradingScope],
    ) -> ReleaseKillSwitchResponse:
        """By another person than who has set it, who is named by the client's ``metadata={"x-client": NAME}``."""
        request = requests.release_kill_switch(scope, reason, request_id)
        return self._call(self._control.ReleaseKillSwitch, request, BATCH, timeout)

    def flatten(
        self,
        *,
        reason: str,
        force: bool = False,
        wait: float = 2.0,
        request_id: str | None = None,
        timeout: float | None = None,
        **scope: Unpack[TradingScope],
    ) -> FlattenResponse:
        """Pause a scope, cancel what is live in it, and close what it holds; ``response.flatten`` says how far that is."""
        request = requests.flatten(scope, reason, wait, request_id, force=force)
        return self._call(self._control.Flatten, request, KILL, timeout)

    def get_flatten(self, flatten_id: str, *, timeout: float | None = None) -> FlattenState:
        response = self._call(
            self._control.GetFlatten, GetFlattenRequest(flatten_id=flatten_id), READ, timeout
        )
        return response.flatten

    def list_flattens(self, *, timeout: float | None = None) -> list[FlattenState]:
        """Those under way and those of the last day, newest first."""
        response = self._call(self._control.ListFlattens, ListFlattensRequest(), READ, timeout)
        return list(response.flattens)

    def arm_dead_man_switch(
        self, *, silence: float, reason: str, timeout: float | None = None, **scope: Unpack[TradingScope]
    ) -> DeadManSwitch:
        """Cancel and pause a scope after so many seconds of silence; called again, this is the sign of life."""
        request = requests.arm_dead_man_switch(scope, silence, reason)
        response = self._call(self._control.ArmDeadManSwitch, request, BATCH, timeout)
        return response.dead_man_switch

    def disarm_dead_man_switch(
        self, *, reason: str, timeout: float | None = None, **scope: Unpack[TradingScope]
    ) -> None:
        request = DisarmDeadManSwitchRequest(scope=requests.trading_scope(scope), reason=reason)
        self._call(self._control.DisarmDeadManSwitch, request, OPERATION, timeout)

    def list_dead_man_switches(self, *, timeout: float | None = None) -> list[DeadManSwitch]:
        request = ListDeadManSwitchesRequest()
        response = self._call(self._control.ListDeadManSwitches, request, READ, timeout)
        return list(response.dead_man_switches)

    def request_live(
        self,
        *,
        reason: str,
        account_id: str | None = None,
        session_id: str | None = None,
        timeout: float | None = None,
    ) -> LiveGate:
        """Ask that an account, or a session, may trade live whose gate is closed."""
        request = requests.gate(RequestLiveRequest(reason=reason), account_id, session_id)
        response = self._call(self._control.RequestLive, request, PRICES, timeout)
        return response.live_gate

    def approve_live(
        self,
        *,
        reason: str,
        account_id: str | None = None,
        session_id: str | None = None,
        timeout: float | None = None,
    ) -> LiveGate:
        """What another person has asked for."""
        request = requests.gate(ApproveLiveRequest(reason=reason), account_id, session_id)
        response = self._call(self._control.ApproveLive, request, PRICES, timeout)
        return response.live_gate

    def revoke_live(
        self,
        *,
        reason: str,
        account_id: str | None = None,
        session_id: str | None = None,
        timeout: float | None = None,
    ) -> LiveGate:
        """In force at once."""
        request = requests.gate(RevokeLiveRequest(reason=reason), account_id, session_id)
        response = self._call(self._control.RevokeLive, request, PRICES, timeout)
        return response.live_gate

    def list_live_gates(self, *, timeout: float | None = None) -> list[LiveGate]:
        response = self._call(self._control.ListLiveGates, ListLiveGatesRequest(), READ, timeout)
        return list(response.live_gates)

    def get_trading_state(self, *, timeout: float | None = None, **scope: Unpack[TradingScope]) -> ScopeState:
        """What was said of this very scope, and how far its kill has come."""
        request = GetTradingStateRequest(scope=requests.trading_scope(scope))
        response = self._call(self._control.GetTradingState, request, READ, timeout)
        return response.state

    def list_trading_states(self, *, timeout: float | None = None) -> list[ScopeState]:
        """All scopes that are not ACTIVE, the wider ones first."""
        request = ListTradingStatesRequest()
        response = self._call(self._control.ListTradingStates, request, READ, timeout)
        return list(response.states)


class AsyncControlCalls(AsyncCalls):
    def __init__(self, channel: aio.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        super().__init__(channel, metadata, retry)
        self._control = TradingControlServiceStub(channel)

    async def set_trading_state(
        self,
        state: TradingState,
        *,
        reason: str,
        request_id: str | None = None,
        timeout: float | None = None,
        **scope: Unpack[TradingScope],
    ) -> SetTradingStateResponse:
        request = requests.set_trading_state(scope, state, reason, request_id)
        return await self._call(self._control.SetTradingState, request, BATCH, timeout)

    async def activate_kill_switch(
        self,
        *,
        reason: str,
        wait: float = 2.0,
        request_id: str | None = None,
        timeout: float | None = None,
        **scope: Unpack[TradingScope],
    ) -> ActivateKillSwitchResponse:
        request = requests.activate_kill_switch(scope, reason, wait, request_id)
        return await self._call(self._control.ActivateKillSwitch, request, KILL, timeout)

    async def release_kill_switch(
        self,
        *,
        reason: str,
        request_id: str | None = None,
        timeout: float | None = None,
        **scope: Unpack[TradingScope],
    ) -> ReleaseKillSwitchResponse:
        request = requests.release_kill_switch(scope, reason, request_id)
        return await self._call(self._control.ReleaseKillSwitch, request, BATCH, timeout)

    async def flatten(
        self,
        *,
        reason: str,
        force: bool = False,
        wait: float = 2.0,
        request_id: str | None = None,
        timeout: float | None = None,
        **scope: Unpack[TradingScope],
    ) -> FlattenResponse:
        request = requests.flatten(scope, reason, wait, request_id, force=force)
        return await self._call(self._control.Flatten, request, KILL, timeout)

    async def get_flatten(self, flatten_id: str, *, timeout: float | None = None) -> FlattenState:
        response = await self._call(
            self._control.GetFlatten, GetFlattenRequest(flatten_id=flatten_id), READ, timeout
        )
        return response.flatten

    async def list_flattens(self, *, timeout: float | None = None) -> list[FlattenState]:
        response = await self._call(self._control.ListFlattens, ListFlattensRequest(), READ, timeout)
        return list(response.flattens)

    async def arm_dead_man_switch(
        self, *, silence: float, reason: str, timeout: float | None = None, **scope: Unpack[TradingScope]
    ) -> DeadManSwitch:
        request = requests.arm_dead_man_switch(scope, silence, reason)
        response = await self._call(self._control.ArmDeadManSwitch, request, BATCH, timeout)
        return response.dead_man_switch

    async def disarm_dead_man_switch(
        self, *, reason: str, timeout: float | None = None, **scope: Unpack[TradingScope]
    ) -> None:
        request = DisarmDeadManSwitchRequest(scope=requests.trading_scope(scope), reason=reason)
        await self._call(self._control.DisarmDeadManSwitch, request, OPERATION, timeout)

    async def list_dead_man_switches(self, *, timeout: float | None = None) -> list[DeadManSwitch]:
        request = ListDeadManSwitchesRequest()
        response = await self._call(self._control.ListDeadManSwitches, request, READ, timeout)
        return list(response.dead_man_switches)

    async def request_live(
        self,
        *,
        reason: str,
        account_id: str | None = None,
        session_id: str | None = None,
        timeout: float | None = None,
    ) -> LiveGate:
        request = requests.gate(RequestLiveRequest(reason=reason), account_id, session_id)
        response = await self._call(self._control.RequestLive, request, PRICES, timeout)
        return response.live_gate

    async def approve_live(
        self,
        *,
        reason: str,
        account_id: str | None = None,
        session_id: str | None = None,
        timeout: float | None = None,
    ) -> LiveGate:
        request = requests.gate(ApproveLiveRequest(reason=reason), account_id, session_id)
        response = await self._call(self._control.ApproveLive, request, PRICES, timeout)
        return response.live_gate

    async def revoke_live(
        self,
        *,
        reason: str,
        account_id: str | None = None,
        session_id: str | None = None,
        timeout: float | None = None,
    ) -> LiveGate:
        request = requests.gate(RevokeLiveRequest(reason=reason), account_id, session_id)
        response = await self._call(self._control.RevokeLive, request, PRICES, timeout)
        return response.live_gate

    async def list_live_gates(self, *, timeout: float | None = None) -> list[LiveGate]:
        response = await self._call(self._control.ListLiveGates, ListLiveGatesRequest(), READ, timeout)
        return list(response.live_gates)

    async def get_trading_state(
        self, *, timeout: float | None = None, **scope: Unpack[TradingScope]
    ) -> ScopeState:
        request = GetTradingStateRequest(scope=requests.trading_scope(scope))
        response = await self._call(self._control.GetTradingState, request, READ, timeout)
        return response.state

    async def list_trading_states(self, *, timeout: float | None = None) -> list[ScopeState]:
        request = ListTradingStatesRequest()
        response = await self._call(self._control.ListTradingStates, request, READ, timeout)
        return list(response.states)
