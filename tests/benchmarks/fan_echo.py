"""The reference of :mod:`tests.benchmarks.fan`: sends everyone who subscribes the messages of a file, and does nothing else."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
from fairlead.v1.execution_service_pb2 import SubscribeExecutionsRequest


async def _serve(messages: Sequence[bytes]) -> None:
    async def subscribe(request: SubscribeExecutionsRequest, context: Any) -> AsyncIterator[bytes]:
        for message in messages:
            yield message

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    method: Any = grpc.unary_stream_rpc_method_handler(subscribe, SubscribeExecutionsRequest.FromString)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "fairlead.v1.ExecutionService", {"SubscribeExecutions": method}
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"port": port}), flush=True)
    await stop.wait()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(_serve([bytes.fromhex(text) for text in json.loads(Path(sys.argv[1]).read_text())]))
