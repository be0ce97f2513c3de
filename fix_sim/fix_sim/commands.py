"""The operator's commands: each asks a running simulator and returns the lines to print."""

import time
from collections.abc import Sequence
from pathlib import Path

import grpc

from fix_sim.errors import StartError
from fix_sim.orders import OrdStatus, OrdType, Side, TimeInForce
from fix_sim.scenario_file import SHIPPED, parse_scenarios, read_scenarios
from fix_sim.v1 import sim_control_pb2 as pb
from fix_sim.v1.sim_control_pb2_grpc import SimControlServiceStub

_TIMEOUT = 5.0
_POLL = 0.1  # seconds between two looks at what is expected
_COLUMNS = (
    "ORDER",
    "CL_ORD_ID",
    "SYMBOL",
    "SIDE",
    "TYPE",
    "TIF",
    "QTY",
    "PRICE",
    "FILLED",
    "AVG",
    "STATUS",
    "SESSION",
)


def orders(channel: grpc.Channel, *, open_only: bool, symbol: str, limit: int) -> list[str]:
    request = pb.ListOrdersRequest(open_only=open_only, symbol=symbol, limit=limit)
    listed = SimControlServiceStub(channel).ListOrders(request, timeout=_TIMEOUT).orders
    return _table([_COLUMNS, *map(_row, listed)])


def fill(
    channel: grpc.Channel, order: str, *, by_cl_ord_id: bool, qty: str | None, price: str | None
) -> list[str]:
    request = pb.FillOrderRequest(quantity=qty, price=price)
    if by_cl_ord_id:
        request.cl_ord_id = order
    else:
        request.order_id = order
    filled = SimControlServiceStub(channel).FillOrder(request, timeout=_TIMEOUT)
    return [f"execution {filled.exec_id}", *_table([_COLUMNS, _row(filled.order)])]


def price(channel: grpc.Channel, symbol: str, price: str) -> list[str]:
    request = pb.SetPriceRequest(symbol=symbol, price=price)
    made = SimControlServiceStub(channel).SetPrice(request, timeout=_TIMEOUT).price
    return [f"{made.symbol} {made.price}"]


def prices(channel: grpc.Channel) -> list[str]:
    listed = SimControlServiceStub(channel).ListPrices(pb.ListPricesRequest(), timeout=_TIMEOUT).prices
    return _table([(each.symbol, each.price) for each in listed])


def shipped() -> list[str]:
    """The scenarios that come with the simulator; needs none that is running."""
    return _table([("NAME", "TITLE"), *((each.name, each.title) for each in read_scenarios(SHIPPED))])


def load(channel: grpc.Channel, path: Path, names: Sequence[str], times: int | None) -> list[str]:
    """Raises StartError if a file is not right."""
    found = {scenario.name for scenario in read_scenarios(path)}
    unknown = [name for name in names if name not in found]
    if unknown:
        raise StartError(f"{path}", f"there is no scenario {unknown[0]!r} in it", "name one of its own")
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    loaded: Sequence[str] = ()
    for file in files:
        text = file.read_text(encoding="utf-8")
        here = [each.name for each in parse_scenarios(text, str(file)) if not names or each.name in names]
        if here:
            request = pb.LoadScenariosRequest(text=text, file=str(file), names=here, times=times)
            loaded = SimControlServiceStub(channel).LoadScenarios(request, timeout=_TIMEOUT).names
    return [f"{len(loaded)} loaded: {', '.join(loaded)}"]


def plays(channel: grpc.Channel, scenario: str) -> list[str]:
    listed = _plays(channel, scenario)
    rows = [
        (each.scenario, each.order_id, f"{each.taken}/{each.steps}", _STATES[each.state], each.failure)
        for each in listed
    ]
    return _table([("SCENARIO", "ORDER", "STEPS", "STATE", "WHY"), *rows])


def expect(channel: grpc.Channel, scenario: str, times: int, within: float) -> tuple[bool, str]:
    """Whether the scenario was played to its end so many times, and how it stands; waits until it is known."""
    until = time.monotonic() + within
    while True:
        listed = _plays(channel, scenario)
        failed = next((play for play in listed if play.state == pb.PLAY_STATE_FAILED), None)
        passed = sum(play.state == pb.PLAY_STATE_PASSED for play in listed)
        if failed is not None:
            return False, f"{scenario}: failed with order {failed.order_id}: {failed.failure}"
        if passed >= times:
            return True, f"{scenario}: passed {passed} of {times}"
        if time.monotonic() >= until:
            return False, f"{scenario}: passed {passed} of {times} within {within:g} s, {len(listed)} begun"
        time.sleep(_POLL)


def perform(channel: grpc.Channel, target: str, steps: str, *, kind: str = "order_id") -> list[str]:
    """``kind`` is order_id, cl_ord_id or session."""
    request = pb.PerformRequest(**{kind: target, "steps": steps})
    done = SimControlServiceStub(channel).Perform(request, timeout=_TIMEOUT)
    executions = [f"execution {exec_id}" for exec_id in done.exec_ids]
    return [*executions, *(_table([_COLUMNS, _row(done.order)]) if done.HasField("order") else ["done"])]


def pause(channel: grpc.Channel) -> list[str]:
    SimControlServiceStub(channel).Pause(pb.PauseRequest(), timeout=_TIMEOUT)
    return ["paused"]


def resume(channel: grpc.Channel) -> list[str]:
    SimControlServiceStub(channel).Resume(pb.ResumeRequest(), timeout=_TIMEOUT)
    return ["resumed"]


def _plays(channel: grpc.Channel, scenario: str) -> Sequence[pb.Play]:
    request = pb.ListPlaysRequest(scenario=scenario)
    return SimControlServiceStub(channel).ListPlays(request, timeout=_TIMEOUT).plays


_STATES = {
    pb.PLAY_STATE_PLAYING: "PLAYING",
    pb.PLAY_STATE_PASSED: "PASSED",
    pb.PLAY_STATE_FAILED: "FAILED",
}


def _row(order: pb.SimOrder) -> Sequence[str]:
    return (
        order.order_id,
        order.cl_ord_id,
        order.symbol,
        Side(order.side).name,
        OrdType(order.ord_type).name,
        TimeInForce(order.time_in_force).name,
        order.order_qty,
        order.price or order.stop_px,
        order.cum_qty,
        order.avg_px,
        OrdStatus(order.ord_status).name,
        order.session,
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
