"""The door itself: health, reflection, metadata, what it is, and what a published method must state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from fairlead.v1 import annotations_pb2
from fairlead.v1.execution_service_pb2 import SubscribeExecutionsRequest
from fairlead.v1.system_service_pb2 import GetServerInfoRequest
from fairlead_server.api import server as door
from fairlead_server.api.caller import Caller
from fairlead_server.api.server import SERVICES, Server
from fairlead_server.api.validation import unruled
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.api.refusals import refused
from tests.api.router import Router, new_order

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health(router: Router, service: str) -> int:
    stub = health_pb2_grpc.HealthStub(router.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
    return int(answer.status)


async def test_health_tells_of_the_process_the_service_and_each_session(router: Router) -> None:
    names = ("", "fairlead.v1.OrderService", "session/BROKER", "session/DOWN")

    assert [await health(router, name) for name in names] == [SERVING, SERVING, SERVING, NOT_SERVING]


async def test_without_a_session_no_order_can_be_routed_and_health_says_so(router: Router) -> None:
    router.broker.hang_up()

    await router.serving("fairlead.v1.OrderService", wanted=False)

    assert await health(router, "") == SERVING


async def test_health_of_what_nobody_knows_is_not_found(router: Router) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await health(router, "session/NONE")

    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_server_that_stops_is_not_healthy_any_more() -> None:
    server = Server({}, lambda: NOW, lambda _: "id", "server-1")
    port = await server.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        before = await watch.read()

        await server.stop(0.2)

        after = await watch.read()
    assert (before.status, after.status) == (SERVING, NOT_SERVING)


async def test_reflection_lists_every_service(router: Router) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(router.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))

    answer = await call.read()

    listed = {service.name for service in answer.list_services_response.service}
    assert listed == {
        *(service.full_name for service in SERVICES.values()),
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_the_server_says_what_it_is(router: Router) -> None:
    info = (await router.system.GetServerInfo(GetServerInfoRequest())).server_info

    assert (info.server_id, info.config_hash) == ("router-under-test", "config-1")
    assert list(info.api_packages) == ["fairlead.v1"]
    assert info.version
    assert info.epoch
    assert info.start_time.ToDatetime() <= info.server_time.ToDatetime()


# Metadata.


async def test_every_answer_carries_the_callers_id_and_the_servers(router: Router) -> None:
    call = router.system.GetServerInfo(GetServerInfoRequest(), metadata=(("x-request-id", "mine-1"),))
    await call
    wrong = await refused(
        router.orders.SubmitOrder(new_order(side=99), metadata=(("x-request-id", "mine-2"),))
    )

    answered = dict(await call.trailing_metadata())
    assert (answered["x-request-id"], answered["x-server-id"]) == ("mine-1", "router-under-test")
    assert (wrong.metadata["x-request-id"], wrong.metadata["x-server-id"]) == ("mine-2", "router-under-test")


async def test_a_call_without_an_id_is_given_one(router: Router) -> None:
    calls = [router.system.GetServerInfo(GetServerInfoRequest()) for _ in range(2)]
    for call in calls:
        await call

    first, second = [dict(await call.trailing_metadata())["x-request-id"] for call in calls]
    assert first != second


async def test_what_a_caller_says_of_itself_is_bounded_and_harmless(router: Router) -> None:
    name = "desk'; <b>" + "x" * 1000

    order = await router.orders.SubmitOrder(
        new_order(), metadata=(("x-client", name), ("x-other-bin", b"\xff"))
    )

    log = await router.log()
    assert order.order.client_order_id == log[0].order.client_order_id
    assert log[0].cause.principal == "desk b" + "x" * 58


# What is published.


def test_every_method_states_who_may_call_it() -> None:
    for service in SERVICES.values():
        for method in service.methods:
            access = method.GetOptions().Extensions[annotations_pb2.access]
            assert access.permission, method.full_name
            assert access.scope, method.full_name


_ASKS = ("Get", "List", "Subscribe", "Watch", "Check", "Size", "Export")


def test_what_changes_anything_is_audited() -> None:
    methods = [method for service in SERVICES.values() for method in service.methods]
    audited = {m.name for m in methods if m.GetOptions().Extensions[annotations_pb2.access].audited}

    changing = {m.name for m in methods if not m.name.startswith(_ASKS)}
    assert audited == changing - {"UpdateReferencePrices"}  # of prices, those that a person sets


def test_every_text_of_every_request_has_a_form() -> None:
    for service in SERVICES.values():
        for method in service.methods:
            assert unruled(method.input_type) == []


async def test_every_service_of_the_protos_is_served(router: Router) -> None:
    for service in SERVICES.values():
        for method in service.methods:
            call: Any = router.channel.unary_unary(f"/{service.full_name}/{method.name}")
            status = await code(call(b"\xff"))
            assert status == grpc.StatusCode.INVALID_ARGUMENT, method.full_name


async def test_a_method_that_is_not_published_is_unimplemented(router: Router) -> None:
    call: Any = router.channel.unary_unary("/fairlead.v1.OrderService/DropOrders")

    assert await code(call(b"")) == grpc.StatusCode.UNIMPLEMENTED


async def code(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


async def test_a_port_that_is_taken_is_an_error_of_the_system(router: Router) -> None:
    first, second = (Server({}, lambda: NOW, lambda _: "id", "server") for _ in range(2))
    port = await first.start("127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            await second.start("127.0.0.1", port)
    finally:
        await first.stop(0)
        await second.stop(0)


def test_a_method_without_rules_is_not_served() -> None:
    (method,) = forgotten().services_by_name["Service"].methods

    with pytest.raises(ValueError, match=r"forgotten.Service.Call does not state who may call it"):
        door._require_rules(method)


def test_a_text_without_a_form_is_noticed_wherever_it_is() -> None:
    request = forgotten().message_types_by_name["Request"]

    assert unruled(request) == ["forgotten.Request.texts", "forgotten.Inner.text"]


def forgotten() -> FileDescriptor:
    """A service whose author has forgotten every rule."""
    file = FileDescriptorProto(name="forgotten.proto", package="forgotten", syntax="proto3")
    text, message = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_MESSAGE
    file.message_type.add(name="Inner").field.add(name="text", number=1, type=text, label=1)
    request = file.message_type.add(name="Request")
    request.field.add(name="texts", number=1, type=text, label=3)
    request.field.add(name="inner", number=2, type=message, type_name=".forgotten.Inner", label=1)
    service = file.service.add(name="Service")
    service.method.add(name="Call", input_type=".forgotten.Request", output_type=".forgotten.Request")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindFileByName("forgotten.proto")


# Slow subscribers.


class Endless:
    """ExecutionService whose streams say more than anybody wants to read."""

    cursor, lag = "resume-here", 12

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def subscribe_executions(self, request: SubscribeExecutionsRequest, caller: Caller) -> Endless:
        return self

    async def list_executions(self, request: object, caller: Caller) -> None:
        raise NotImplementedError

    async def messages(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield bytes(500_000)
        finally:
            self.left.set()


async def test_a_subscriber_that_does_not_read_is_cut_off_with_its_cursor() -> None:
    """What was on its way already comes first: a status cannot overtake it."""
    endless = Endless()
    server = Server({"ExecutionService": endless}, lambda: NOW, lambda _: "id", "server-1", write_timeout=0.2)
    port = await server.start("127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        path = "/fairlead.v1.ExecutionService/SubscribeExecutions"
        stream: Any = channel.unary_stream(path)
        call = stream(b"")
        await endless.left.wait()

        evicted = await refused(_rest(call))

    await server.stop(0)
    assert (evicted.code, evicted.reason) == (grpc.StatusCode.ABORTED, "SLOW_CONSUMER")
    assert evicted.facts == {"cursor": "resume-here", "lag": "12"}


async def _rest(call: AsyncIterable[bytes]) -> int:
    return len([message async for message in call])


# Clients that are gone without a word.


class Idle(Endless):
    async def messages(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b""
            await asyncio.Event().wait()
        finally:
            self.left.set()


class Tunnel:
    """To a port, until it swallows everything, in both directions; nobody is told."""

    def __init__(self, port: int) -> None:
        self.swallows = False
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, outer]
        await asyncio.gather(self._pass_on(reader, outer), self._pass_on(inner, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                if not self.swallows:
                    writer.write(data)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


async def test_a_client_that_vanishes_without_a_word_is_noticed() -> None:
    idle = Idle()
    server = Server({"ExecutionService": idle}, lambda: NOW, lambda _: "id", "server-1", ping=0.3)
    tunnel = Tunnel(await server.start("127.0.0.1", 0))
    listener = await asyncio.start_server(tunnel.serve, "127.0.0.1", 0)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{listener.sockets[0].getsockname()[1]}") as channel:
        stream: Any = channel.unary_stream("/fairlead.v1.ExecutionService/SubscribeExecutions")
        call = stream(b"")
        assert await call.read() == b""
        assert not idle.left.is_set()

        tunnel.swallows = True
        await idle.left.wait()

    tunnel.close()
    listener.close()
    await server.stop(0)
