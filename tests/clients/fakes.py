"""A router made of answers: real gRPC on loopback, behind it one list of answers a method.

An answer is a message, or a :class:`Fail`, which becomes the status that it describes. The last one is given
again and again. A stream is a list of answers; :data:`HANG` keeps it open until the client goes.
What came in is kept in ``received``, its metadata in ``metadata``.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, NoReturn, TypeAlias, TypeVar, cast

import grpc
from fairlead.v1 import (
    execution_service_pb2_grpc,
    order_service_pb2_grpc,
    position_service_pb2_grpc,
    reference_service_pb2_grpc,
    risk_service_pb2_grpc,
    session_service_pb2_grpc,
    system_service_pb2_grpc,
    trading_control_service_pb2_grpc,
)
from fairlead.v1.common_pb2 import Order
from fairlead.v1.execution_service_pb2 import (
    CaughtUp,
    Established,
    ExecutionEvent,
    ExecutionEvents,
    Heartbeat,
    SubscribeExecutionsRequest,
    SubscribeExecutionsResponse,
)
from fairlead.v1.order_service_pb2 import TradeSessionRequest, TradeSessionResponse
from fairlead.v1.position_service_pb2 import WatchPositionsResponse
from fairlead.v1.risk_service_pb2 import WatchRiskEventsResponse
from fairlead.v1.session_service_pb2 import WatchSessionsResponse
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2


@dataclass(frozen=True)
class Fail:
    """A status; with a reason, as the router makes it; without, as a proxy does."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "told to"
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Sequence[tuple[str, str]] = ()
    retry_delay: float | None = None

    def details(self) -> bytes:
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain="fairlead", metadata=self.metadata)
        bad = error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field=name, description=text)
                for name, text in self.violations
            ]
        )
        retry = error_details_pb2.RetryInfo()
        if self.retry_delay is not None:
            retry.retry_delay.CopyFrom(Duration(nanos=round(self.retry_delay * 1e9)))
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in (info, bad, retry):
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        return cast("bytes", status.SerializeToString())


class Hang(Enum):
    HANG = auto()


HANG = Hang.HANG
M = TypeVar("M", bound=Message)
Answer: TypeAlias = Message | Fail
StreamItem: TypeAlias = SubscribeExecutionsResponse | Fail | Hang

Trade: TypeAlias = Callable[[Iterator[TradeSessionRequest]], Iterator[TradeSessionResponse | Fail]]


class FakeRouter(
    order_service_pb2_grpc.OrderServiceServicer,
    execution_service_pb2_grpc.ExecutionServiceServicer,
    session_service_pb2_grpc.SessionServiceServicer,
    reference_service_pb2_grpc.ReferenceServiceServicer,
    position_service_pb2_grpc.PositionServiceServicer,
    risk_service_pb2_grpc.RiskServiceServicer,
    system_service_pb2_grpc.SystemServiceServicer,
    trading_control_service_pb2_grpc.TradingControlServiceServicer,
):
    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = defaultdict(list)
        self.streams: list[Sequence[StreamItem]] = []
        self.watches: list[Sequence[WatchSessionsResponse | Fail | Hang]] = []
        self.position_watches: list[Sequence[WatchPositionsResponse | Fail | Hang]] = []
        self.risk_watches: list[Sequence[WatchRiskEventsResponse | Fail | Hang]] = []
        self.trades: list[Trade] = []  # one for each stream
        self.streams_after: dict[str, Sequence[StreamItem]] = {}  # by cursor, however often it is asked for
        self.received: dict[str, list[Any]] = defaultdict(list)
        self.metadata: dict[str, list[dict[str, str]]] = defaultdict(list)
        self.hanging = threading.Event()  # set when a stream has sent all before HANG
        self._lock = threading.Lock()

    def WatchTradingStates(self, request: Message, context: grpc.ServicerContext) -> Any:
        yield self._answer("WatchTradingStates", request, context)

    def Flatten(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("Flatten", request, context)

    def GetFlatten(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetFlatten", request, context)

    def ListFlattens(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListFlattens", request, context)

    def ArmDeadManSwitch(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ArmDeadManSwitch", request, context)

    def DisarmDeadManSwitch(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("DisarmDeadManSwitch", request, context)

    def ListDeadManSwitches(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListDeadManSwitches", request, context)

    def RequestLive(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("RequestLive", request, context)

    def ApproveLive(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ApproveLive", request, context)

    def RevokeLive(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("RevokeLive", request, context)

    def ListLiveGates(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListLiveGates", request, context)

    def SetTradingState(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("SetTradingState", request, context)

    def ActivateKillSwitch(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ActivateKillSwitch", request, context)

    def ReleaseKillSwitch(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ReleaseKillSwitch", request, context)

    def GetTradingState(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetTradingState", request, context)

    def ListTradingStates(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListTradingStates", request, context)

    def SubmitOrder(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("SubmitOrder", request, context)

    def AmendOrder(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("AmendOrder", request, context)

    def CancelOrder(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("CancelOrder", request, context)

    def BatchSubmitOrders(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("BatchSubmitOrders", request, context)

    def BatchAmendOrders(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("BatchAmendOrders", request, context)

    def BatchCancelOrders(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("BatchCancelOrders", request, context)

    def CancelAllOrders(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("CancelAllOrders", request, context)

    def ReconcileOrder(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ReconcileOrder", request, context)

    def GetOrder(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetOrder", request, context)

    def ListOrders(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListOrders", request, context)

    def ListOrderEvents(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListOrderEvents", request, context)

    def ListExecutions(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListExecutions", request, context)

    def ListSessions(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListSessions", request, context)

    def GetSession(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetSession", request, context)

    def StartSession(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("StartSession", request, context)

    def StopSession(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("StopSession", request, context)

    def ResetSessionSequence(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ResetSessionSequence", request, context)

    def GetSessionSchedule(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetSessionSchedule", request, context)

    def ListSessionMessages(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListSessionMessages", request, context)

    def RequestOrderStatus(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("RequestOrderStatus", request, context)

    def ReloadSessions(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ReloadSessions", request, context)

    def ListInstruments(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListInstruments", request, context)

    def GetInstrument(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetInstrument", request, context)

    def CreateInstrument(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("CreateInstrument", request, context)

    def UpdateInstrument(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("UpdateInstrument", request, context)

    def DeleteInstrument(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("DeleteInstrument", request, context)

    def ImportInstruments(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ImportInstruments", request, context)

    def ExportInstruments(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ExportInstruments", request, context)

    def ListInstrumentBackups(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListInstrumentBackups", request, context)

    def GetInstrumentBackup(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetInstrumentBackup", request, context)

    def ListCalendars(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListCalendars", request, context)

    def GetCalendar(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetCalendar", request, context)

    def PutCalendar(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("PutCalendar", request, context)

    def DeleteCalendar(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("DeleteCalendar", request, context)

    def UpdateReferencePrices(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("UpdateReferencePrices", request, context)

    def GetServerInfo(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetServerInfo", request, context)

    def SubscribeExecutions(
        self, request: SubscribeExecutionsRequest, context: grpc.ServicerContext
    ) -> Iterator[SubscribeExecutionsResponse]:
        yield from self._play(self._next_stream(request, context), context)

    def TradeSession(
        self, request_iterator: Iterator[TradeSessionRequest], context: grpc.ServicerContext
    ) -> Iterator[TradeSessionResponse]:
        with self._lock:
            trade = self.trades.pop(0) if len(self.trades) > 1 else self.trades[0]
        for item in trade(self._noted("TradeSession", request_iterator)):
            if isinstance(item, Fail):
                _abort(item, context)
            yield item

    def _noted(self, method: str, requests: Iterator[TradeSessionRequest]) -> Iterator[TradeSessionRequest]:
        for request in requests:
            self.received[method].append(request)
            yield request

    def WatchSessions(
        self, request: Message, context: grpc.ServicerContext
    ) -> Iterator[WatchSessionsResponse]:
        with self._lock:
            self._note("WatchSessions", request, context)
            script = self.watches.pop(0) if len(self.watches) > 1 else self.watches[0]
        yield from self._play(script, context)

    def ListPositions(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListPositions", request, context)

    def GetPosition(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetPosition", request, context)

    def ListDailyTotals(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListDailyTotals", request, context)

    def WatchPositions(
        self, request: Message, context: grpc.ServicerContext
    ) -> Iterator[WatchPositionsResponse]:
        with self._lock:
            self._note("WatchPositions", request, context)
            watches = self.position_watches
            script = watches.pop(0) if len(watches) > 1 else watches[0]
        yield from self._play(script, context)

    def ListControls(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListControls", request, context)

    def ListLimits(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListLimits", request, context)

    def GetLimits(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetLimits", request, context)

    def UpdateLimits(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("UpdateLimits", request, context)

    def DeleteLimits(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("DeleteLimits", request, context)

    def ImportLimits(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ImportLimits", request, context)

    def EnableAgain(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("EnableAgain", request, context)

    def GetRiskState(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("GetRiskState", request, context)

    def CheckOrder(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("CheckOrder", request, context)

    def SizeOrder(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("SizeOrder", request, context)

    def ListRiskDecisions(self, request: Message, context: grpc.ServicerContext) -> Any:
        return self._answer("ListRiskDecisions", request, context)

    def WatchRiskEvents(
        self, request: Message, context: grpc.ServicerContext
    ) -> Iterator[WatchRiskEventsResponse]:
        with self._lock:
            self._note("WatchRiskEvents", request, context)
            watches = self.risk_watches
            script = watches.pop(0) if len(watches) > 1 else watches[0]
        yield from self._play(script, context)

    def _play(self, script: Sequence[M | Fail | Hang], context: grpc.ServicerContext) -> Iterator[M]:
        gone = threading.Event()
        context.add_callback(gone.set)
        for item in script:
            if isinstance(item, Hang):
                self.hanging.set()
                gone.wait()
            elif isinstance(item, Fail):
                _abort(item, context)
            else:
                yield item

    def _answer(self, method: str, request: Message, context: grpc.ServicerContext) -> Message:
        with self._lock:
            self._note(method, request, context)
            script = self.answers[method]
            answer = script.pop(0) if len(script) > 1 else script[0]
        return _abort(answer, context) if isinstance(answer, Fail) else answer

    def _next_stream(
        self, request: SubscribeExecutionsRequest, context: grpc.ServicerContext
    ) -> Sequence[StreamItem]:
        with self._lock:
            self._note("SubscribeExecutions", request, context)
            if self.streams_after:
                return self.streams_after[request.after_cursor]
            return self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]

    def _note(self, method: str, request: Message, context: grpc.ServicerContext) -> None:
        self.received[method].append(request)
        self.metadata[method].append({key: str(value) for key, value in context.invocation_metadata()})


def _abort(fail: Fail, context: grpc.ServicerContext) -> NoReturn:
    if fail.reason:
        context.set_trailing_metadata((("grpc-status-details-bin", fail.details()),))
    context.abort(fail.code, fail.message)


@contextmanager
def serving(router: FakeRouter) -> Iterator[str]:
    """The router on a free port of loopback; gives its address."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        server = grpc.server(pool)
        order_service_pb2_grpc.add_OrderServiceServicer_to_server(router, server)
        execution_service_pb2_grpc.add_ExecutionServiceServicer_to_server(router, server)
        session_service_pb2_grpc.add_SessionServiceServicer_to_server(router, server)
        reference_service_pb2_grpc.add_ReferenceServiceServicer_to_server(router, server)
        position_service_pb2_grpc.add_PositionServiceServicer_to_server(router, server)
        risk_service_pb2_grpc.add_RiskServiceServicer_to_server(router, server)
        system_service_pb2_grpc.add_SystemServiceServicer_to_server(router, server)
        trading_control_service_pb2_grpc.add_TradingControlServiceServicer_to_server(router, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


class Streamed:
    """Writes the messages of one stream with their dense `stream_sequence`."""

    def __init__(self, *, epoch: int = 1) -> None:
        self._count = 0
        self._epoch = epoch

    def established(self, cursor: str = "c0") -> SubscribeExecutionsResponse:
        return self.message(cursor, established=Established(stream_id="s", epoch=self._epoch))

    def events(self, *sequences: int) -> SubscribeExecutionsResponse:
        """Events with these sequences; the cursor is that of the last one."""
        return self.message(f"c{sequences[-1]}", events=ExecutionEvents(events=[event(n) for n in sequences]))

    def caught_up(self, sequence: int) -> SubscribeExecutionsResponse:
        return self.message(f"c{sequence}", caught_up=CaughtUp(sequence=sequence))

    def heartbeat(self, sequence: int) -> SubscribeExecutionsResponse:
        return self.message(f"c{sequence}", heartbeat=Heartbeat(head_sequence=sequence))

    def lost(self) -> "Streamed":
        """One message goes missing."""
        self._count += 1
        return self

    def message(self, cursor: str, **payload: Any) -> SubscribeExecutionsResponse:
        self._count += 1
        return SubscribeExecutionsResponse(stream_sequence=self._count, cursor=cursor, **payload)


def event(sequence: int) -> ExecutionEvent:
    return ExecutionEvent(event_id=f"e{sequence}", sequence=sequence, order=Order(order_id="o1"))
