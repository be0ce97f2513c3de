"""The gRPC door: serves the handlers over grpc.aio, with health and reflection.

For each method of a service's descriptor there is a handler of the same name in snake case; it is given the request, or an
iterator of them where the client streams. This adapter is all that
knows gRPC: it reads the request, makes the :class:`~fairlead_server.api.caller.Caller`, and turns what a handler raises
into a status by the one table in :mod:`fairlead_server.api.errors`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn, Protocol

import grpc
from fairlead.v1 import (
    annotations_pb2,
    execution_service_pb2,
    order_service_pb2,
    position_service_pb2,
    reference_service_pb2,
    risk_service_pb2,
    session_service_pb2,
    system_service_pb2,
    trading_control_service_pb2,
)
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from fairlead_server.api import errors
from fairlead_server.api.caller import Caller
from fairlead_server.api.validation import unruled
from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.routing.ports import Clock, NewId

_log = logging.getLogger(__name__)

_WRITE_TIMEOUT = 10.0  # seconds that one message to a subscriber may block
_PING = 10.0  # seconds of silence after which a client is asked for a sign of life, and has half of them to give it
_PRINCIPAL = 64  # characters
_UNSAFE = re.compile(r"[^A-Za-z0-9._:/@ -]")
_OPTIONS = (
    ("grpc.http2.max_pings_without_data", 0),  # as many as it takes: an idle stream is no dead one
    ("grpc.keepalive_permit_without_calls", 1),
    (
        "grpc.http2.min_recv_ping_interval_without_data_ms",
        10_000,
    ),  # below what clients use, or they get GOAWAY
    ("grpc.so_reuseport", 0),  # two servers on one port would split its calls between them
    # Calls that wait to be taken up; gRPC's own 1,000 breaks off a larger burst at random with CANCELLED.
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
)


class Stream(Protocol):
    """What a streaming handler returns: ready to be read, by one reader, once."""

    @property
    def cursor(self) -> str:
        """Where to resume after what has been read; empty where it begins anew."""

    @property
    def lag(self) -> int:
        """How much there is that has not been read."""

    def messages(self) -> AsyncGenerator[bytes, None]: ...


Handler = Callable[[Any, Caller], Awaitable[Any]]
Context = grpc.aio.ServicerContext[Any, Any]

_FILES = (
    order_service_pb2,
    execution_service_pb2,
    session_service_pb2,
    reference_service_pb2,
    position_service_pb2,
    risk_service_pb2,
    system_service_pb2,
    trading_control_service_pb2,
)
SERVICES: dict[str, ServiceDescriptor] = {
    name: service for file in _FILES for name, service in file.DESCRIPTOR.services_by_name.items()
}


class Server:
    """One listening port. ``services`` holds the handlers of each service by its name.

    Raises ValueError for a method that does not state who may call it, or a text that may hold anything.
    """

    def __init__(
        self,
        services: Mapping[str, object],
        clock: Clock,
        new_id: NewId,
        server_id: str,
        write_timeout: float = _WRITE_TIMEOUT,
        ping: float = _PING,
    ) -> None:
        self._clock = clock
        self._new_id = new_id
        self._server_id = server_id
        self._write_timeout = write_timeout
        life = (
            ("grpc.keepalive_time_ms", round(1000 * ping)),
            ("grpc.keepalive_timeout_ms", round(500 * ping)),
            (
                "grpc.http2.ping_timeout_ms",
                round(500 * ping),
            ),  # a minute unless told, whatever keepalive says
        )
        self._server = grpc.aio.server(options=(*_OPTIONS, *life))
        for name, handlers in services.items():
            self._server.add_generic_rpc_handlers((self._service(SERVICES[name], handlers),))
        self.health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        names = [SERVICES[name].full_name for name in services]
        reflection.enable_server_reflection(
            [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which may have been given as 0. Raises OSError where it is taken."""
        try:
            bound = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise OSError(f"cannot listen on {host}:{port}") from error
        await self._server.start()
        return bound

    async def stop(self, grace: float) -> None:
        """No new calls; those under way get ``grace`` seconds. Health says so first."""
        await self.health.enter_graceful_shutdown()
        await self._server.stop(grace)

    async def set_serving(self, states: Mapping[str, bool]) -> None:
        for service, serving in states.items():
            status = health_pb2.HealthCheckResponse
            await self.health.set(service, status.SERVING if serving else status.NOT_SERVING)

    def _service(self, service: ServiceDescriptor, handlers: object) -> grpc.GenericRpcHandler:
        methods = {
            method.name: self._method(method, getattr(handlers, _snake(method.name)))
            for method in service.methods
        }
        return grpc.method_handlers_generic_handler(service.full_name, methods)

    def _method(self, method: MethodDescriptor, handler: Handler) -> grpc.RpcMethodHandler[Any, Any]:
        _require_rules(method)
        request_type = GetMessageClass(method.input_type)
        if method.client_streaming:
            incoming = partial(_parse_each, request_type)
            return grpc.stream_stream_rpc_method_handler(self._streaming(incoming, handler))
        if method.server_streaming:
            parse = partial(_parse, request_type)
            return grpc.unary_stream_rpc_method_handler(self._streaming(parse, handler))
        return grpc.unary_unary_rpc_method_handler(self._unary(request_type, handler))

    def _unary(self, request_type: type[Message], handler: Handler) -> Callable[..., Awaitable[bytes]]:
        async def call(data: bytes, context: Context) -> bytes:
            caller = self._caller(context)
            context.set_trailing_metadata(
                self._marks(caller)
            )  # to send it ahead would cost an operation more
            try:
                response: Message = await handler(_parse(request_type, data), caller)
                return response.SerializeToString()
            except Exception as error:  # noqa: BLE001 - mapped, or logged as the bug that it is
                await self._abort(context, caller, error)

        return call

    def _streaming(self, read: Callable[[Any], Any], handler: Handler) -> Callable[..., Awaitable[None]]:
        async def call(incoming: Any, context: Context) -> None:
            caller = self._caller(context)
            await context.send_initial_metadata(self._marks(caller))
            try:
                stream: Stream = await handler(read(incoming), caller)
                async with aclosing(stream.messages()) as messages:
                    async for message in messages:
                        await self._write(context, message, stream)
            except Exception as error:  # noqa: BLE001 - mapped, or logged as the bug that it is
                await self._abort(context, caller, error)

        return call

    async def _write(self, context: Context, message: bytes, stream: Stream) -> None:
        try:
            async with asyncio.timeout(self._write_timeout):
                await context.write(message)
        except TimeoutError:
            raise _SlowConsumer(stream.cursor, stream.lag) from None

    async def _abort(self, context: Context, caller: Caller, error: Exception) -> NoReturn:
        refusal = _refusal(error)
        if refusal is None:
            _log.error("call %s failed", caller.call_id, exc_info=error)
            refusal = errors.internal(caller.call_id)
        status = ("grpc-status-details-bin", refusal.status().SerializeToString())
        await context.abort(refusal.code, refusal.text, (*self._marks(caller), status))
        raise error

    def _marks(self, caller: Caller) -> tuple[tuple[str, str], ...]:
        return ("x-request-id", caller.call_id), ("x-server-id", self._server_id)

    def _caller(self, context: Context) -> Caller:
        metadata = {
            key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
        }
        remaining = context.time_remaining()
        deadline = None if remaining is None else self._clock() + timedelta(seconds=remaining)
        return Caller(
            _UNSAFE.sub("", metadata.get("x-client", ""))[:_PRINCIPAL],
            _UNSAFE.sub("", metadata.get("x-request-id", ""))[:_PRINCIPAL] or self._new_id(self._clock()),
            _UNSAFE.sub("", metadata.get("traceparent", ""))[:_PRINCIPAL],
            deadline,
        )


class _SlowConsumer(Exception):
    def __init__(self, cursor: str, lag: int) -> None:
        self.cursor = cursor
        self.lag = lag
        super().__init__(cursor)


def _refusal(error: Exception) -> errors.Refusal | None:
    if isinstance(error, _SlowConsumer):
        return errors.slow_consumer(error.cursor, error.lag)
    return errors.refusal(error)


def _parse(request_type: type[Message], data: bytes) -> Message:
    try:
        return request_type.FromString(data)
    except DecodeError:
        text = f"is not a {request_type.DESCRIPTOR.full_name} (text fields are UTF-8)"
        raise InvalidRequest([("request", text)]) from None


async def _parse_each(request_type: type[Message], incoming: AsyncIterable[bytes]) -> AsyncIterator[Message]:
    async for data in incoming:
        yield _parse(request_type, data)


def _require_rules(method: MethodDescriptor) -> None:
    access = method.GetOptions().Extensions[annotations_pb2.access]
    if not access.permission or not access.scope:
        raise ValueError(f"{method.full_name} does not state who may call it")
    for name in unruled(method.input_type):
        raise ValueError(f"{name} does not state what it may hold")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
