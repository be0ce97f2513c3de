"""The operator's door: SimControlService over gRPC, a thin skin over the desk."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_reflection.v1alpha import reflection
from msgspec.structs import replace

from fix_sim.acceptor import Desk
from fix_sim.engine import Price
from fix_sim.errors import (
    NotFillable,
    NotPlayable,
    StartError,
    UnknownOrder,
    UnknownSession,
    UnknownSymbol,
)
from fix_sim.orders import Order
from fix_sim.plays import Play
from fix_sim.scenario import Break, Outcome, Step
from fix_sim.scenario_file import parse_scenarios, parse_steps
from fix_sim.v1 import sim_control_pb2 as pb
from fix_sim.v1 import sim_control_pb2_grpc

_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_Context = grpc.aio.ServicerContext[Any, Any]


class SimControl(sim_control_pb2_grpc.SimControlServiceServicer):
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListOrders(self, request: pb.ListOrdersRequest, context: _Context) -> pb.ListOrdersResponse:
        if request.limit < 0:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "limit: is below 0")
        found = [
            order
            for order in self._desk.broker.engine.orders.values()
            if request.symbol in ("", order.symbol) and (order.live or not request.open_only)
        ]
        return pb.ListOrdersResponse(orders=map(_order, found[-request.limit :]))

    async def FillOrder(self, request: pb.FillOrderRequest, context: _Context) -> pb.FillOrderResponse:
        quantity = (
            await _positive(context, "quantity", request.quantity) if request.HasField("quantity") else None
        )
        price = await _positive(context, "price", request.price) if request.HasField("price") else None
        try:
            turn = self._desk.fill(self._order_id(request), quantity, price)
        except UnknownOrder as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except NotFillable as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        (execution,) = turn.executions
        return pb.FillOrderResponse(order=_order(execution.order), exec_id=execution.exec_id)

    async def SetPrice(self, request: pb.SetPriceRequest, context: _Context) -> pb.SetPriceResponse:
        price = await _positive(context, "price", request.price)
        try:
            self._desk.set_price(request.symbol, price)
        except UnknownSymbol as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        return pb.SetPriceResponse(price=self._price(request.symbol))

    async def ListPrices(self, request: pb.ListPricesRequest, context: _Context) -> pb.ListPricesResponse:  # noqa: ARG002 - gRPC's signature
        return pb.ListPricesResponse(prices=map(self._price, sorted(self._desk.broker.engine.prices)))

    async def LoadScenarios(
        self, request: pb.LoadScenariosRequest, context: _Context
    ) -> pb.LoadScenariosResponse:
        if request.times < 0:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "times: is below 0")
        try:
            found = {each.name: each for each in parse_scenarios(request.text, request.file or "text")}
            chosen = [found[name] for name in request.names or found]
        except StartError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except KeyError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no scenario {error.args[0]!r} in it")
        if request.HasField("times"):
            chosen = [replace(scenario, times=request.times) for scenario in chosen]
        director = self._desk.broker.engine.director
        director.load(chosen)
        return pb.LoadScenariosResponse(names=[scenario.name for scenario in director.scenarios])

    async def ListPlays(self, request: pb.ListPlaysRequest, context: _Context) -> pb.ListPlaysResponse:  # noqa: ARG002 - gRPC's signature
        plays = self._desk.broker.engine.director.plays
        return pb.ListPlaysResponse(
            plays=[_play(play) for play in plays if request.scenario in ("", play.scenario.name)]
        )

    async def Perform(self, request: pb.PerformRequest, context: _Context) -> pb.PerformResponse:
        try:
            steps = parse_steps(request.steps, "steps")
            if request.WhichOneof("target") == "session":
                return self._break_session(request.session, steps)
            order_id = self._order_id(request)
            turn, problem = self._desk.perform(order_id, steps)
        except StartError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except (UnknownOrder, UnknownSession) as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        except (NotFillable, NotPlayable) as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        if problem:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, problem)
        order = self._desk.broker.engine.order(order_id)
        exec_ids = [execution.exec_id for execution in turn.executions]
        return pb.PerformResponse(order=_order(order), exec_ids=exec_ids)

    async def Pause(self, request: pb.PauseRequest, context: _Context) -> pb.PauseResponse:  # noqa: ARG002 - gRPC's signature
        self._desk.pause()
        return pb.PauseResponse()

    async def Resume(self, request: pb.ResumeRequest, context: _Context) -> pb.ResumeResponse:  # noqa: ARG002 - gRPC's signature
        self._desk.resume()
        return pb.ResumeResponse()

    def _break_session(self, session: str, steps: Sequence[Step]) -> pb.PerformResponse:
        breaks = [step for step in steps if isinstance(step, Break)]
        if len(breaks) < len(steps):
            raise NotPlayable("a step", "a session has no orders to report; name one")
        for step in breaks:
            self._desk.break_session(session, step)
        return pb.PerformResponse()

    def _order_id(self, request: pb.FillOrderRequest | pb.PerformRequest) -> str:
        if not request.cl_ord_id:
            return request.order_id
        found = self._desk.broker.find(request.cl_ord_id)
        if not found:
            raise UnknownOrder(request.cl_ord_id)
        if len(found) > 1:
            raise NotFillable(request.cl_ord_id, "orders of several sessions go by it; name one by order_id")
        return found[0].order_id

    def _price(self, symbol: str) -> pb.SimPrice:
        price: Price = self._desk.broker.engine.prices[symbol]
        time = Timestamp()
        if price.set_at is None:
            return pb.SimPrice(symbol=symbol, price=format(price.value, "f"))
        time.FromDatetime(price.set_at)
        return pb.SimPrice(symbol=symbol, price=format(price.value, "f"), price_time=time)


async def start_control(desk: Desk, host: str, port: int) -> tuple[grpc.aio.Server, int]:
    """A running server and its port."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    sim_control_pb2_grpc.add_SimControlServiceServicer_to_server(SimControl(desk), server)
    service = pb.DESCRIPTOR.services_by_name["SimControlService"].full_name
    reflection.enable_server_reflection((service, reflection.SERVICE_NAME), server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError:
        raise StartError(
            f"control {host}:{port}", "cannot be listened on", "choose another --control-port"
        ) from None
    await server.start()
    return server, bound


async def _positive(context: _Context, field: str, text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text) or not Decimal(text):
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"{field}: {text[:40]!r} is not a decimal above 0, such as 230.10",
        )
    return Decimal(text)


_PLAY_STATE = {
    Outcome.PLAYING: pb.PLAY_STATE_PLAYING,
    Outcome.PASSED: pb.PLAY_STATE_PASSED,
    Outcome.FAILED: pb.PLAY_STATE_FAILED,
}


def _play(play: Play) -> pb.Play:
    return pb.Play(
        scenario=play.scenario.name,
        order_id=play.order_id,
        state=_PLAY_STATE[play.outcome],
        failure=play.failure,
        taken=play.position,
        steps=len(play.scenario.steps),
    )


def _order(order: Order) -> pb.SimOrder:
    terms = order.terms
    received = Timestamp()
    received.FromDatetime(order.received_at)
    return pb.SimOrder(
        order_id=order.order_id,
        cl_ord_id=order.cl_ord_id,
        session=order.client,
        symbol=order.symbol,
        side=order.side.value,
        ord_type=terms.ord_type.value,
        time_in_force=terms.time_in_force.value,
        order_qty=format(terms.order_qty, "f"),
        price=None if terms.price is None else format(terms.price, "f"),
        stop_px=None if terms.stop_px is None else format(terms.stop_px, "f"),
        cum_qty=format(order.cum_qty, "f"),
        leaves_qty=format(order.leaves_qty, "f"),
        avg_px=format(order.avg_px, "f"),
        ord_status=order.ord_status.value,
        account=order.account,
        receive_time=received,
    )
