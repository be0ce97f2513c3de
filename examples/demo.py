"""What `make run` shows: a simulated broker and the router as two processes, a basket of orders routed and filled.

Starts both, waits until the FIX sessions are active, submits `examples/basket.csv` while the executions stream by, says
what to try next, and stays up until Ctrl-C. What was stored stays: run it again, and yesterday's orders are there.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import BinaryIO

import fairlead
from fairlead.cli.columns import instant, short, state
from fairlead.v1 import common_pb2, execution_service_pb2, session_service_pb2
from fairlead.v1.common_pb2 import Order
from fairlead.v1.execution_service_pb2 import ExecutionEvent
from rich.live import Live
from rich.table import Table

EXAMPLES = Path(__file__).parent
READY_SECONDS = 30.0
END_SECONDS = 10.0
QUIET_SECONDS = 1.5  # without an event: the basket has come to rest
BASKET_DONE, BASKET_REFUSED = 0, 1  # as the command line ends; that some of its orders are refused is meant


class CannotRun(Exception):
    """Something that the user can put right; its text is one line."""


async def main() -> int:
    options = _options()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await _until(stop, _demonstrate(options, stop))
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 3
    return 0


async def _demonstrate(options: argparse.Namespace, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as running:
        broker = await _start(running, "fix_sim", _fix_sim(options), options.var)
        router = await _start(running, "router", _router(options), options.var)
        client = await running.enter_async_context(fairlead.AsyncClient(f"127.0.0.1:{options.grpc_port}"))
        await _sessions_active(client, options.var)
        await _route_basket(client, options)
        await _what_next(client, options)
        await _stay_up(stop, broker, router)
        print("stopping")


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do it, or stop doing it when asked: whatever was started is stopped on the way out."""
    task = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        with suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(
                asyncio.shield(task), 0.5
            )  # it may be waiting for the same, and end by itself
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


# The two processes.


def _fix_sim(options: argparse.Namespace) -> Sequence[str]:
    ports = ("--port", str(options.fix_port), "--control-port", str(options.control_port))
    return ("fix_sim", "serve", *ports, "--store", str(options.var / "fix_sim"), "--log-level", "WARNING")


def _router(options: argparse.Namespace) -> Sequence[str]:
    settings = (
        f"server.port={options.grpc_port}",
        f"sessions.SIM44.port={options.fix_port}",
        f"sessions.SIM42.port={options.fix_port}",
        f"store.url=sqlite:///{options.var / 'fairlead.db'}",
        "log.level=warning",
    )
    sets = [word for setting in settings for word in ("--set", setting)]
    return ("fairlead_server", "serve", "--config", str(options.config), *sets)


async def _start(
    running: AsyncExitStack, name: str, command: Sequence[str], var: Path
) -> asyncio.subprocess.Process:
    """Start it, and wait for the one line that says it is ready; its log goes to a file."""
    log = _log_file(var, name)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *command, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True
    )
    log.close()
    running.push_async_callback(_end, process)
    assert process.stdout is not None  # noqa: S101 - as asked for
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_SECONDS)
    except TimeoutError:
        raise CannotRun(f"{name} was not ready after {READY_SECONDS:g} s; see {var / name}.log") from None
    if not line:
        await _end(process, patience=END_SECONDS)
        raise CannotRun(_last_words(var, name))
    print(line.decode().rstrip(), flush=True)
    return process


def _log_file(var: Path, name: str) -> BinaryIO:
    try:
        var.mkdir(parents=True, exist_ok=True)
        return (var / f"{name}.log").open("wb")
    except OSError as error:
        raise CannotRun(
            f"{var}: cannot be written: {error.strerror}; try `make run VAR=some/folder`"
        ) from None


def _last_words(var: Path, name: str) -> str:
    lines = (var / f"{name}.log").read_text().strip().splitlines()
    return lines[-1] if lines else f"{name} ended without a word"


async def _stay_up(stop: asyncio.Event, *processes: asyncio.subprocess.Process) -> None:
    """Until asked to stop; without one of its processes there is nothing to see."""
    ended = [asyncio.create_task(process.wait()) for process in processes]
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait([asked, *ended], return_when=asyncio.FIRST_COMPLETED)
    for task in (asked, *ended):
        task.cancel()
    if not stop.is_set():
        raise CannotRun("a process has ended by itself; its last words are in its log")


async def _end(process: asyncio.subprocess.Process, patience: float = 0.0) -> None:
    """Let it end by itself, ask it to, make it."""
    for ask in (None, process.terminate, process.kill):
        with suppress(TimeoutError, ProcessLookupError):
            if ask is not None:
                ask()
            await asyncio.wait_for(process.wait(), END_SECONDS if ask else patience)
            return


# What is shown.


async def _sessions_active(client: fairlead.AsyncClient, var: Path) -> None:
    active = session_service_pb2.SESSION_STATE_ACTIVE
    try:
        async with asyncio.timeout(READY_SECONDS):
            while any([session.state != active async for session in client.list_sessions()]):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise CannotRun(f"the FIX sessions did not become active; see {var / 'router.log'}") from None
    known = [order async for order in client.list_orders()]
    print(f"FIX sessions are active; {len(known)} orders are known from earlier runs\n", flush=True)


async def _route_basket(client: fairlead.AsyncClient, options: argparse.Namespace) -> None:
    orders: dict[str, tuple[Order, str]] = {}
    with Live(refresh_per_second=12) as live:
        async with client.subscribe(position=fairlead.StartPosition.LIVE_ONLY) as executions:
            opened = asyncio.Event()
            following = asyncio.create_task(_follow(executions, opened, orders, live))
            await opened.wait()
            await _run_basket(options)
            await _rest(orders)
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following


async def _run_basket(options: argparse.Namespace) -> None:
    """As anybody would from a terminal; what it prints itself is what the live table shows."""
    words = ("--server", f"127.0.0.1:{options.grpc_port}", "basket", str(options.basket))
    command = (sys.executable, "-m", "fairlead", *words)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        _, words_of_error = await process.communicate()
    finally:
        await _end(process)
    if process.returncode not in (BASKET_DONE, BASKET_REFUSED):
        last = words_of_error.decode().strip().splitlines()[-1:]
        raise CannotRun(last[0] if last else f"the basket has failed with code {process.returncode}")


async def _rest(orders: dict[str, tuple[Order, str]]) -> None:
    """Until nothing has happened for a while."""
    before = None
    while before != (before := sorted(order.version for order, _ in orders.values())) or not before:
        await asyncio.sleep(QUIET_SECONDS)


async def _follow(
    executions: fairlead.AsyncSubscription,
    opened: asyncio.Event,
    orders: dict[str, tuple[Order, str]],
    live: Live,
) -> None:
    async for update in executions.updates():
        opened.set()  # the first update says that the stream has caught up
        if isinstance(update, ExecutionEvent):
            orders[update.order.order_id] = (update.order, _kind(update))
            if live.console.is_terminal:
                live.update(_table(orders))
            else:
                print(_line(update), flush=True)


def _kind(event: ExecutionEvent) -> str:
    return short(execution_service_pb2.ExecutionKind.DESCRIPTOR, event.kind)


def _line(event: ExecutionEvent) -> str:
    order, fill = event.order, event.fill
    traded = f"  {fill.quantity} at {fill.price}" if event.HasField("fill") else ""
    side = short(common_pb2.Side.DESCRIPTOR, order.side)
    return (
        f"{instant(event.commit_time)[11:]}  {_kind(event):<16} {order.instrument_id:<7} {side:<4} "
        f"{order.quantity:>6}  {state(order):<24} filled {order.cum_quantity:>5}{traded}"
    )


def _table(orders: dict[str, tuple[Order, str]]) -> Table:
    table = Table(
        "instrument", "side", "quantity", "type", "price", "state", "filled", "average", "last event"
    )
    for order, last in orders.values():
        table.add_row(
            order.instrument_id,
            short(common_pb2.Side.DESCRIPTOR, order.side),
            order.quantity,
            short(common_pb2.OrderType.DESCRIPTOR, order.order_type),
            order.price,
            state(order),
            order.cum_quantity,
            order.average_price,
            order.reject.text or last,
        )
    return table


async def _what_next(client: fairlead.AsyncClient, options: argparse.Namespace) -> None:
    orders = [order async for order in client.list_orders()]
    filled = sum(order.state == common_pb2.ORDER_STATE_FILLED for order in orders)
    rejected = sum(order.state == common_pb2.ORDER_STATE_REJECTED for order in orders)
    target = f"127.0.0.1:{options.grpc_port}"
    server = "" if options.grpc_port == 50051 else f"--server {target} "  # noqa: PLR2004 - the default
    control = "" if options.control_port == 50052 else f" --control-port {options.control_port}"  # noqa: PLR2004
    submit = (
        '{"account_id":"DEMO","client_order_id":"my-1","instrument_id":"AAPL","side":"SIDE_BUY",'
        '"quantity":"10","order_type":"ORDER_TYPE_MARKET","ack_level":"ACK_LEVEL_VENUE"}'
    )
    print(f"""
{len(orders)} orders in the store: {filled} filled, {rejected} rejected, {len(orders) - filled - rejected} other

Try, in another terminal:
  .venv/bin/fairlead {server}order list
  .venv/bin/fairlead {server}order submit --account DEMO AAPL buy 10 --price 229.50
  .venv/bin/fairlead {server}exec watch
  .venv/bin/python -m fix_sim price AAPL 229.00{control}
  grpcurl -plaintext {target} list
  grpcurl -plaintext -d '{submit}' {target} fairlead.v1.OrderService/SubmitOrder

Logs are in {options.var}/*.log. Ctrl-C stops everything.""")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grpc-port", type=int, default=50051)
    parser.add_argument("--fix-port", type=int, default=9876)
    parser.add_argument("--control-port", type=int, default=50052)
    parser.add_argument("--var", type=Path, default=Path("var"), help="where stores and logs are kept")
    parser.add_argument("--config", type=Path, default=EXAMPLES / "fairlead.toml")
    parser.add_argument("--basket", type=Path, default=EXAMPLES / "basket.csv")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(asyncio.run(main()))
