"""One call after another over a connection, tried again where that is right: what both clients are built on."""

import asyncio
import time
from collections.abc import Mapping
from typing import TypeVar

import grpc
from google.protobuf.message import Message
from grpc import aio

from fairlead import errors
from fairlead.connection import call_metadata
from fairlead.retry import Attempts, Method, Retry

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)


class Calls:
    def __init__(self, channel: grpc.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        self._channel = channel
        self._metadata = dict(metadata)
        self._retry = retry

    def _call(
        self, rpc: "grpc.UnaryUnaryMultiCallable[Q, R]", request: Q, method: Method, timeout: float | None
    ) -> R:
        attempts = Attempts(method, self._retry, request)
        metadata = call_metadata(self._metadata)
        while True:
            try:
                return rpc(request, timeout=timeout or method.timeout, metadata=metadata)
            except grpc.RpcError as error:
                time.sleep(attempts.failed(errors.from_rpc(error)))


class AsyncCalls:
    def __init__(self, channel: aio.Channel, metadata: Mapping[str, str], retry: Retry) -> None:
        self._channel = channel
        self._metadata = dict(metadata)
        self._retry = retry

    async def _call(
        self, rpc: "aio.UnaryUnaryMultiCallable[Q, R]", request: Q, method: Method, timeout: float | None
    ) -> R:
        attempts = Attempts(method, self._retry, request)
        metadata = call_metadata(self._metadata)
        while True:
            try:
                return await rpc(request, timeout=timeout or method.timeout, metadata=metadata)
            except grpc.RpcError as error:
                await asyncio.sleep(attempts.failed(errors.from_rpc(error)))
