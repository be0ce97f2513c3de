import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest
from fix_sim.app import Running
from fix_sim.rules import Action, Rule
from fix_sim.v1 import sim_control_pb2 as pb
from fix_sim.v1.sim_control_pb2_grpc import SimControlServiceStub
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.fix_sim.router import initiator, logged_on, new_order, settings, simulator

if TYPE_CHECKING:
    from fix_sim.v1.sim_control_pb2_grpc import (
        SimControlServiceAsyncStub,  # the stubs' types have it, the stubs not
    )

MANUAL = Rule(Action.MANUAL, cl_ord_id_prefix="M")
NEVER = Rule(Action.NEVER_FILL, cl_ord_id_prefix="N")


@asynccontextmanager
async def operator(up: Running) -> "AsyncIterator[SimControlServiceAsyncStub]":
    async with grpc.aio.insecure_channel(f"{up.settings.host}:{up.control_port}") as channel:
        yield SimControlServiceStub(channel)


async def test_orders_are_listed_as_the_broker_sees_them() -> None:
    async with simulator() as up, logged_on(up) as router, operator(up) as stub:
        router.send("D", new_order("A", "100", "231.5", t1="ACC", t59="1"))
        router.send("D", new_order("B", "10", "229"))
        await router.told(3)

        everything = await stub.ListOrders(pb.ListOrdersRequest())
        still_open = await stub.ListOrders(pb.ListOrdersRequest(open_only=True))
        newest = await stub.ListOrders(pb.ListOrdersRequest(limit=1))
        elsewhere = await stub.ListOrders(pb.ListOrdersRequest(symbol="MSFT"))

    filled = everything.orders[0]
    assert filled.HasField("receive_time")
    filled.ClearField("receive_time")
    assert filled == pb.SimOrder(
        order_id="7-O1",
        cl_ord_id="A",
        session="FIX.4.4:SIM:FAIRLEAD",
        symbol="AAPL",
        side="1",
        ord_type="2",
        time_in_force="1",
        order_qty="100",
        price="231.5",
        cum_qty="100",
        leaves_qty="0",
        avg_px="230.1",
        ord_status="2",
        account="ACC",
    )
    assert [order.cl_ord_id for order in everything.orders] == ["A", "B"]
    assert [order.cl_ord_id for order in still_open.orders] == ["B"]
    assert [order.cl_ord_id for order in newest.orders] == ["B"]
    assert list(elsewhere.orders) == []


async def test_an_order_is_filled_by_either_of_its_names() -> None:
    async with simulator(settings(MANUAL)) as up, logged_on(up) as router, operator(up) as stub:
        router.send("D", new_order("M"))
        await router.report()

        part = await stub.FillOrder(pb.FillOrderRequest(cl_ord_id="M", quantity="40", price="229.5"))
        rest = await stub.FillOrder(pb.FillOrderRequest(order_id="7-O1"))

        assert await router.told(2) == ["8 M F1 40/100", "8 M F2 100/100"]
    assert (part.exec_id, part.order.cum_qty, part.order.avg_px) == ("7-E2", "40", "229.5")
    assert (rest.exec_id, rest.order.cum_qty, rest.order.avg_px) == ("7-E3", "100", "229.86")


async def test_a_price_is_set_and_listed_with_its_time() -> None:
    async with simulator() as up, operator(up) as stub:
        made = await stub.SetPrice(pb.SetPriceRequest(symbol="AAPL", price="231.05"))
        listed = {price.symbol: price for price in (await stub.ListPrices(pb.ListPricesRequest())).prices}

    assert (made.price.price, made.price.HasField("price_time")) == ("231.05", True)
    assert listed["AAPL"] == made.price
    assert (listed["MSFT"].price, listed["MSFT"].HasField("price_time")) == ("416.50", False)
    assert list(listed) == sorted(listed)


@pytest.mark.parametrize(
    ("method", "request_", "code", "text"),
    [
        ("FillOrder", pb.FillOrderRequest(), "NOT_FOUND", "no order ''"),
        ("FillOrder", pb.FillOrderRequest(order_id="7-O9"), "NOT_FOUND", "no order '7-O9'"),
        ("FillOrder", pb.FillOrderRequest(cl_ord_id="X"), "NOT_FOUND", "no order 'X'"),
        ("FillOrder", pb.FillOrderRequest(cl_ord_id="A"), "FAILED_PRECONDITION", "FILLED"),
        ("FillOrder", pb.FillOrderRequest(cl_ord_id="N"), "FAILED_PRECONDITION", "never_fill"),
        (
            "FillOrder",
            pb.FillOrderRequest(cl_ord_id="M", quantity="101"),
            "FAILED_PRECONDITION",
            "more than LeavesQty",
        ),
        ("FillOrder", pb.FillOrderRequest(cl_ord_id="BOTH"), "FAILED_PRECONDITION", "several sessions"),
        ("FillOrder", pb.FillOrderRequest(cl_ord_id="M", quantity="0"), "INVALID_ARGUMENT", "quantity: '0'"),
        (
            "FillOrder",
            pb.FillOrderRequest(cl_ord_id="M", quantity="1E2"),
            "INVALID_ARGUMENT",
            "quantity: '1E2'",
        ),
        ("FillOrder", pb.FillOrderRequest(cl_ord_id="M", price=""), "INVALID_ARGUMENT", "price: ''"),
        ("SetPrice", pb.SetPriceRequest(symbol="AAPL", price="-1"), "INVALID_ARGUMENT", "price: '-1'"),
        ("SetPrice", pb.SetPriceRequest(symbol="NONE", price="1"), "NOT_FOUND", "no symbol 'NONE'"),
        ("ListOrders", pb.ListOrdersRequest(limit=-1), "INVALID_ARGUMENT", "limit"),
    ],
)
async def test_what_cannot_be_done_says_why(method: str, request_: Message, code: str, text: str) -> None:
    async with (
        simulator(settings(MANUAL, NEVER)) as up,
        logged_on(up) as router,
        logged_on(up, initiator("FIX.4.2")) as other,
        operator(up) as stub,
    ):
        for cl_ord_id in ("A", "N", "M", "BOTH"):
            router.send("D", new_order(cl_ord_id))
        await router.told(6)
        other.send("D", new_order("BOTH"))
        await other.told(2)

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await getattr(stub, method)(request_)

    assert refused.value.code() is grpc.StatusCode[code]
    assert text in (refused.value.details() or "")


async def test_the_service_describes_itself() -> None:
    async with simulator() as up:
        with grpc.insecure_channel(f"{up.settings.host}:{up.control_port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            services = await asyncio.to_thread(database.get_services)
            pool = DescriptorPool(database)
            service = await asyncio.to_thread(pool.FindServiceByName, "fix_sim.v1.SimControlService")

    assert "fix_sim.v1.SimControlService" in services
    assert [method.name for method in service.methods] == [
        "ListOrders",
        "FillOrder",
        "SetPrice",
        "ListPrices",
        "LoadScenarios",
        "ListPlays",
        "Perform",
        "Pause",
        "Resume",
    ]
