"""``python -m fix_sim``: serve, or ask a simulator that is running. Exit codes: 0 done, 1 refused, 2 cannot start."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import grpc
from fairlead_server.fix import dictionaries
from fairlead_server.fix.versions import FIXT

from fix_sim import commands, reflector
from fix_sim.app import reflect, serve
from fix_sim.config import Settings, read_settings
from fix_sim.errors import JournalFailed, StartError

_REFUSED, _CANNOT_START = 1, 2
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
_APPL_VER_IDS = {version: appl_ver_id for appl_ver_id, version in dictionaries.APPLICATIONS.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "serve":
        return _serve(options)
    if options.command == "reflect":
        return _reflect(options)
    try:
        with grpc.insecure_channel(f"{options.host}:{options.control_port}") as channel:
            print("\n".join(_ask(channel, options)))
    except grpc.RpcError as error:
        return _complain(f"{options.command}: {_reason(error, options)}", _REFUSED)
    return 0


def _serve(options: argparse.Namespace) -> int:
    logging.basicConfig(level=options.log_level, format=_LOG_FORMAT)
    given = {name: value for name, value in vars(options).items() if name in _SETTINGS and value is not None}
    try:
        settings = Settings(**(read_settings(Path(options.config)) if options.config else {}) | given)
        asyncio.run(serve(settings, partial(print, flush=True)))
    except StartError as error:
        return _complain(str(error), _CANNOT_START)
    except JournalFailed as error:
        return _complain(f"{error}; nothing was acted on since, start again when it can be", _REFUSED)
    return 0


def _reflect(options: argparse.Namespace) -> int:
    logging.basicConfig(level=options.log_level, format=_LOG_FORMAT)
    us, peer = options.sender, options.target
    sessions = reflector.SESSIONS
    if peer is not None:
        appl_ver_id = _APPL_VER_IDS[options.applver] if options.begin == FIXT else None
        sessions = [(options.begin, peer, appl_ver_id)]
    configs = [reflector.config(begin, us, each, appl) for begin, each, appl in sessions]
    try:
        asyncio.run(reflect(options.host, options.port, configs, partial(print, flush=True)))
    except StartError as error:
        return _complain(str(error), _CANNOT_START)
    return 0


def _ask(channel: grpc.Channel, options: argparse.Namespace) -> list[str]:
    match options.command:
        case "orders":
            return commands.orders(
                channel, open_only=options.open, symbol=options.symbol, limit=options.limit
            )
        case "fill":
            by_cl_ord_id, qty, price = options.cl_ord_id, options.qty, options.price
            return commands.fill(channel, options.order, by_cl_ord_id=by_cl_ord_id, qty=qty, price=price)
        case "price":
            return commands.price(channel, options.symbol, options.price)
        case _:
            return commands.prices(channel)


def _reason(error: grpc.RpcError, options: argparse.Namespace) -> str:
    assert isinstance(error, grpc.Call)  # noqa: S101 - a call that has failed is both
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return f"no simulator answers at {options.host}:{options.control_port}; start one, or name its --control-port"
    return error.details() or error.code().name


def _complain(text: str, code: int) -> int:
    print(f"fix_sim: {text}", file=sys.stderr)
    return code


_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_SETTINGS = ("host", "port", "control_port", "store", "fsync", "seed", "universe")


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="fix_sim", description="A broker that speaks FIX and trades with nobody."
    )
    parsers = parser.add_subparsers(dest="command", required=True)
    _add_serve(parsers.add_parser("serve", help="run the simulator until SIGTERM"), defaults)
    _add_reflect(
        parsers.add_parser("reflect", help="send orders back, for tests of the session layer"), defaults
    )
    orders = parsers.add_parser("orders", help="list the orders that it has received")
    orders.add_argument("--open", action="store_true", help="only those that are still open")
    orders.add_argument("--symbol", default="", help="only those in this symbol")
    orders.add_argument("--limit", type=int, default=0, help="the newest ones, this many at most")
    fill = parsers.add_parser("fill", help="fill an order by hand")
    fill.add_argument("order", help="its OrderID(37)")
    fill.add_argument("--cl-ord-id", action="store_true", help="ORDER is a ClOrdID(11)")
    fill.add_argument("--qty", help="how much; all that is left if not given")
    fill.add_argument("--price", help="at what price; its limit, or the last price, if not given")
    price = parsers.add_parser("price", help="set a price; orders that it touches trade")
    price.add_argument("symbol")
    price.add_argument("price")
    for asking in (orders, fill, price, parsers.add_parser("prices", help="list the prices")):
        asking.add_argument("--host", default=defaults.host)
        asking.add_argument("--control-port", type=int, default=defaults.control_port)
    return parser


def _add_serve(serve: argparse.ArgumentParser, defaults: Settings) -> None:
    serve.add_argument("--config", help="a TOML file; what is given here wins over it")
    serve.add_argument("--host", help=f"default {defaults.host}")
    serve.add_argument("--port", type=_port, help=f"for FIX; 0 for any; default {defaults.port}")
    serve.add_argument(
        "--control-port", type=_port, help=f"for gRPC; 0 for any; default {defaults.control_port}"
    )
    serve.add_argument("--store", help=f"a folder, or :memory:; default {defaults.store}")
    serve.add_argument(
        "--fsync", action="store_true", default=None, help="survive a power cut, not only kill -9"
    )
    serve.add_argument(
        "--seed", type=int, help="head of all OrderIDs and ExecIDs; default: one of the store's own"
    )
    serve.add_argument("--universe", help="a CSV file symbol,last_price")
    serve.add_argument("--log-level", choices=_LOG_LEVELS, default="INFO")


def _add_reflect(reflect: argparse.ArgumentParser, defaults: Settings) -> None:
    reflect.add_argument("--host", default=defaults.host)
    reflect.add_argument("--port", type=_port, default=defaults.port, help="0 for any")
    reflect.add_argument(
        "--begin", choices=sorted(dictionaries.TRANSPORTS), default="FIX.4.4", help="with --target"
    )
    reflect.add_argument("--sender", default=reflector.US, help="our CompID")
    reflect.add_argument("--target", help="the one CompID that may log on; default: one for each version")
    reflect.add_argument(
        "--applver", choices=sorted(_APPL_VER_IDS), default="FIX.5.0SP2", help="with --begin FIXT.1.1"
    )
    reflect.add_argument("--log-level", choices=_LOG_LEVELS, default="WARNING")


def _port(text: str) -> int:
    port = int(text)
    if port not in range(65536):
        raise ValueError(text)
    return port


if __name__ == "__main__":
    sys.exit(main())
