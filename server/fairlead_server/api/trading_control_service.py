"""TradingControlService: the levers of the operations desk. Knows no transport."""

from __future__ import annotations

from collections.abc import Container
from datetime import timedelta

from fairlead.v1 import trading_control_service_pb2 as pb

from fairlead_server.api import consistency, enums, requests, trading_states
from fairlead_server.api.caller import Caller
from fairlead_server.api.trading_watch import TradingWatch
from fairlead_server.api.validation import validate
from fairlead_server.domain.dead_man import DeadManSwitch
from fairlead_server.domain.errors import InvalidRequest, UnknownInstrument, UnknownSession
from fairlead_server.domain.flatten import Flatten
from fairlead_server.domain.scope import Scope
from fairlead_server.domain.trading_state import Halt, selection_of
from fairlead_server.routing.dead_men import DeadMen
from fairlead_server.routing.flattens import Flattens
from fairlead_server.routing.live_gates import LiveSwitches
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.reference import Reference
from fairlead_server.routing.trading_states import Progress, TradingStates

_WAIT, _MOST_WAIT = 2.0, 60.0  # seconds
_LEAST_SILENCE, _MOST_SILENCE = 1.0, 86_400.0

_Change = (
    pb.SetTradingStateRequest
    | pb.ActivateKillSwitchRequest
    | pb.ReleaseKillSwitchRequest
    | pb.FlattenRequest
    | pb.ArmDeadManSwitchRequest
    | pb.DisarmDeadManSwitchRequest
)
_LiveChange = pb.RequestLiveRequest | pb.ApproveLiveRequest | pb.RevokeLiveRequest


class TradingControlService:
    """``accounts`` and ``sessions`` hold the names of those that there are."""

    def __init__(
        self,
        states: TradingStates,
        flattens: Flattens,
        dead_men: DeadMen,
        live: LiveSwitches,
        mass_cancels: MassCancels,
        pipeline: Pipeline,
        accounts: Container[str],
        reference: Reference,
        sessions: Container[str],
        clock: Clock,
    ) -> None:
        self._states = states
        self._flattens = flattens
        self._dead_men = dead_men
        self._live = live
        self._mass_cancels = mass_cancels
        self._pipeline = pipeline
        self._accounts = accounts
        self._reference = reference
        self._sessions = sessions
        self._clock = clock

    async def set_trading_state(
        self, request: pb.SetTradingStateRequest, caller: Caller
    ) -> pb.SetTradingStateResponse:
        validate(request)
        consistency.check_trading_state(request)
        scope, state = self._scope(request), enums.TRADING_STATE.member[request.state]
        by = caller.operator(request.reason)
        said = self._states.set(scope, state, request.request_id, by, self._clock())
        await self._pipeline.durable()
        shown = trading_states.state(Progress(said.halt))
        return pb.SetTradingStateResponse(state=shown, duplicate=said.duplicate)

    async def activate_kill_switch(
        self, request: pb.ActivateKillSwitchRequest, caller: Caller
    ) -> pb.ActivateKillSwitchResponse:
        validate(request)
        consistency.check_scope(request)
        wait = requests.seconds(request, "wait", _WAIT, 0.0, _MOST_WAIT)
        scope = self._scope(request)
        said = self._states.kill(scope, request.request_id, caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        await self._states.ending(said.halt, self._patience(wait, caller))
        await self._pipeline.durable()
        shown = trading_states.state(self._states.progress(said.halt))
        return pb.ActivateKillSwitchResponse(state=shown, duplicate=said.duplicate)

    async def release_kill_switch(
        self, request: pb.ReleaseKillSwitchRequest, caller: Caller
    ) -> pb.ReleaseKillSwitchResponse:
        validate(request)
        consistency.check_scope(request)
        scope = self._scope(request)
        said = self._states.release(scope, request.request_id, caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        shown = trading_states.state(Progress(said.halt))
        return pb.ReleaseKillSwitchResponse(state=shown, duplicate=said.duplicate)

    async def flatten(self, request: pb.FlattenRequest, caller: Caller) -> pb.FlattenResponse:
        validate(request)
        consistency.check_flatten(request)
        wait = requests.seconds(request, "wait", _WAIT, 0.0, _MOST_WAIT)
        scope, by = self._scope(request), caller.operator(request.reason)
        begun = self._flattens.begin(scope, request.request_id, by, self._clock(), force=request.force)
        await self._pipeline.durable()
        await self._flattens.ending(request.request_id, self._patience(wait, caller))
        await self._pipeline.durable()
        shown = self._flatten(self._flattens.get(request.request_id))
        return pb.FlattenResponse(flatten=shown, duplicate=begun.duplicate)

    async def get_flatten(self, request: pb.GetFlattenRequest, caller: Caller) -> pb.GetFlattenResponse:
        validate(request)
        shown = self._flatten(self._flattens.get(request.flatten_id))
        await self._pipeline.durable()
        return pb.GetFlattenResponse(flatten=shown)

    async def list_flattens(self, request: pb.ListFlattensRequest, caller: Caller) -> pb.ListFlattensResponse:
        validate(request)
        response = pb.ListFlattensResponse(flattens=map(self._flatten, self._flattens.all()))
        await self._pipeline.durable()
        return response

    async def arm_dead_man_switch(
        self, request: pb.ArmDeadManSwitchRequest, caller: Caller
    ) -> pb.ArmDeadManSwitchResponse:
        validate(request)
        consistency.check_scope(request)
        silence = requests.seconds(request, "timeout", 0.0, _LEAST_SILENCE, _MOST_SILENCE)
        scope, by = self._scope(request), caller.operator(request.reason)
        armed = self._dead_men.arm(scope, timedelta(seconds=silence), by, self._clock())
        await self._pipeline.durable()
        return pb.ArmDeadManSwitchResponse(dead_man_switch=self._dead_man(armed))

    async def disarm_dead_man_switch(
        self, request: pb.DisarmDeadManSwitchRequest, caller: Caller
    ) -> pb.DisarmDeadManSwitchResponse:
        validate(request)
        consistency.check_scope(request)
        scope = trading_states.scope_of(request.scope)
        self._dead_men.disarm(scope, caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        return pb.DisarmDeadManSwitchResponse()

    async def list_dead_man_switches(
        self, request: pb.ListDeadManSwitchesRequest, caller: Caller
    ) -> pb.ListDeadManSwitchesResponse:
        validate(request)
        shown = [self._dead_man(switch) for switch in self._dead_men.all()]
        await self._pipeline.durable()
        return pb.ListDeadManSwitchesResponse(dead_man_switches=shown)

    async def request_live(self, request: pb.RequestLiveRequest, caller: Caller) -> pb.RequestLiveResponse:
        scope = self._gate(request)
        gate = self._live.request(scope, caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        return pb.RequestLiveResponse(live_gate=trading_states.live_gate(gate))

    async def approve_live(self, request: pb.ApproveLiveRequest, caller: Caller) -> pb.ApproveLiveResponse:
        scope = self._gate(request)
        gate = self._live.approve(scope, caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        return pb.ApproveLiveResponse(live_gate=trading_states.live_gate(gate))

    async def revoke_live(self, request: pb.RevokeLiveRequest, caller: Caller) -> pb.RevokeLiveResponse:
        scope = self._gate(request)
        gate = self._live.revoke(scope, caller.operator(request.reason), self._clock())
        await self._pipeline.durable()
        return pb.RevokeLiveResponse(live_gate=trading_states.live_gate(gate))

    async def list_live_gates(
        self, request: pb.ListLiveGatesRequest, caller: Caller
    ) -> pb.ListLiveGatesResponse:
        validate(request)
        response = pb.ListLiveGatesResponse(live_gates=map(trading_states.live_gate, self._live.all()))
        await self._pipeline.durable()
        return response

    def _gate(self, request: _LiveChange) -> Scope:
        """Of a name that there is, or was when something was said of it."""
        validate(request)
        consistency.check_gate(request)
        scope = Scope(request.account_id, session_id=request.session_id)
        if self._live.of(scope).time is not None:
            return scope
        if scope.account_id and scope.account_id not in self._accounts:
            raise InvalidRequest([("account_id", f"there is no account {scope.account_id}")])
        if scope.session_id and scope.session_id not in self._sessions:
            raise UnknownSession(scope.session_id)
        return scope

    def _dead_man(self, switch: DeadManSwitch) -> pb.DeadManSwitch:
        return trading_states.dead_man(switch, self._dead_men.left(switch))

    def _flatten(self, flatten: Flatten) -> pb.FlattenState:
        return trading_states.flatten(flatten, len(self._flattens.left(flatten)))

    def _patience(self, wait: float, caller: Caller) -> float:
        return wait if caller.deadline is None else min(wait, caller.patience(self._clock()))

    async def get_trading_state(
        self, request: pb.GetTradingStateRequest, caller: Caller
    ) -> pb.GetTradingStateResponse:
        validate(request)
        consistency.check_scope(request)
        scope = trading_states.scope_of(request.scope)
        halt = self._states.of(scope)
        shown = trading_states.active(scope) if halt is None else self._shown(halt)
        await self._pipeline.durable()
        return pb.GetTradingStateResponse(state=shown)

    async def list_trading_states(
        self, request: pb.ListTradingStatesRequest, caller: Caller
    ) -> pb.ListTradingStatesResponse:
        validate(request)
        response = pb.ListTradingStatesResponse(states=map(self._shown, self._states.all()))
        await self._pipeline.durable()
        return response

    async def watch_trading_states(
        self, request: pb.WatchTradingStatesRequest, caller: Caller
    ) -> TradingWatch:
        validate(request)
        return TradingWatch(self._states, requests.heartbeat(request), self._clock)

    def _shown(self, halt: Halt) -> pb.ScopeState:
        return trading_states.state(self._states.progress(halt))

    def _scope(self, request: _Change) -> Scope:
        """Whoever stops a name that nobody has stops nothing, and must hear of it. A live order may have an older one."""
        scope = trading_states.scope_of(request.scope)
        if self._states.of(scope) is not None or self._mass_cancels.matching(selection_of(scope)):
            return scope
        if scope.account_id and scope.account_id not in self._accounts:
            raise InvalidRequest([("scope.account_id", f"there is no account {scope.account_id}")])
        if scope.instrument_id and self._reference.get(scope.instrument_id) is None:
            raise UnknownInstrument(scope.instrument_id)
        if scope.session_id and scope.session_id not in self._sessions:
            raise UnknownSession(scope.session_id)
        return scope
