"""The reference: a grpc.aio server that answers SubmitOrder with the bytes that it was given, and does nothing else.

It parses the request and serialises the response, as any server has to, and has the router's way of registering a
handler; so the ratio to it is what the router's own work costs, and not what gRPC costs in Python.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from fairlead.v1.order_service_pb2 import SubmitOrderRequest, SubmitOrderResponse


def _handler(
    response: SubmitOrderResponse,
) -> Callable[[SubmitOrderRequest, Any], Awaitable[SubmitOrderResponse]]:
    async def submit_order(request: SubmitOrderRequest, context: Any) -> SubmitOrderResponse:
        return response

    return submit_order


async def _serve(response: SubmitOrderResponse) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(
        _handler(response), SubmitOrderRequest.FromString, SubmitOrderResponse.SerializeToString
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("fairlead.v1.OrderService", {"SubmitOrder": method}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"port": port}), flush=True)
    await stop.wait()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(_serve(SubmitOrderResponse.FromString(bytes.fromhex(sys.argv[1]))))
