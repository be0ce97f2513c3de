"""``python -m fix_sim``: serve, or ask a simulator that is running. Exit codes: 0 done, 1 refused, 2 cannot start.

``expect`` ends with 0 when what is expected has come, with 1 when it has not, with 2 when nobody can tell.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import grpc
from fairlead_server.fix.versions import FIXT

from fix_sim import commands, reflector
from fix_sim.app import reflect, serve
from fix_sim.arguments import APPL_VER_IDS, SETTINGS, parser
from fix_sim.config import Settings, read_settings
from fix_sim.errors import JournalFailed, StartError
from fix_sim.scenario_file import SHIPPED

_REFUSED, _CANNOT_START, _CANNOT_TELL = 1, 2, 2
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    return _HERE.get(options.command, _ask)(options)


def _ask(options: argparse.Namespace) -> int:
    """Ask the simulator that runs."""
    expects = options.command == "expect"
    try:
        with grpc.insecure_channel(f"{options.host}:{options.control_port}") as channel:
            if expects:
                return _expect(channel, options)
            print("\n".join(_ASKS[options.command](channel, options)))
    except grpc.RpcError as error:
        return _complain(
            f"{options.command}: {_reason(error, options)}", _CANNOT_TELL if expects else _REFUSED
        )
    except StartError as error:
        return _complain(str(error), _CANNOT_START)
    return 0


def _expect(channel: grpc.Channel, options: argparse.Namespace) -> int:
    met, text = commands.expect(channel, options.scenario, options.times, options.within)
    print(text)
    return 0 if met else _REFUSED


def _list_scenarios(_: argparse.Namespace) -> int:
    print("\n".join(commands.shipped()))
    return 0


def _serve(options: argparse.Namespace) -> int:
    logging.basicConfig(level=options.log_level, format=_LOG_FORMAT)
    given = {name: value for name, value in vars(options).items() if name in SETTINGS and value is not None}
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
        appl_ver_id = APPL_VER_IDS[options.applver] if options.begin == FIXT else None
        sessions = [(options.begin, peer, appl_ver_id)]
    configs = [reflector.config(begin, us, each, appl) for begin, each, appl in sessions]
    try:
        asyncio.run(reflect(options.host, options.port, configs, partial(print, flush=True)))
    except StartError as error:
        return _complain(str(error), _CANNOT_START)
    return 0


def _fill(channel: grpc.Channel, options: argparse.Namespace) -> list[str]:
    by_cl_ord_id, qty, price = options.cl_ord_id, options.qty, options.price
    return commands.fill(channel, options.order, by_cl_ord_id=by_cl_ord_id, qty=qty, price=price)


def _load(channel: grpc.Channel, options: argparse.Namespace) -> list[str]:
    path = Path(options.file) if options.file else SHIPPED
    return commands.load(channel, path, options.name, options.times)


def _perform(channel: grpc.Channel, options: argparse.Namespace) -> list[str]:
    return commands.perform(channel, options.target, _steps(options), kind=options.kind)


def _steps(options: argparse.Namespace) -> str:
    """What is said of an order by hand, as a step of a scenario."""
    if options.command == "perform":
        return str(options.steps)
    word = {"bust": "trade_cancel", "correct": "trade_correct", "cancel": "canceled"}[options.command]
    said = {name: getattr(options, name, None) for name in ("fill", "qty", "price", "reason", "text")}
    given = ", ".join(f'{name}: "{value}"' for name, value in said.items() if value is not None)
    return f"{word}: {{{given}}}" if given else word


def _reason(error: grpc.RpcError, options: argparse.Namespace) -> str:
    assert isinstance(error, grpc.Call)  # noqa: S101 - a call that has failed is both
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return f"no simulator answers at {options.host}:{options.control_port}; start one, or name its --control-port"
    return error.details() or error.code().name


def _complain(text: str, code: int) -> int:
    print(f"fix_sim: {text}", file=sys.stderr)
    return code


_HERE: dict[str, Callable[[argparse.Namespace], int]] = {
    "serve": _serve,
    "reflect": _reflect,
    "scenarios": _list_scenarios,
}
_ASKS: dict[str, Callable[[grpc.Channel, argparse.Namespace], list[str]]] = {
    "orders": lambda channel, said: commands.orders(
        channel, open_only=said.open, symbol=said.symbol, limit=said.limit
    ),
    "fill": _fill,
    "price": lambda channel, said: commands.price(channel, said.symbol, said.price),
    "prices": lambda channel, _: commands.prices(channel),
    "load": _load,
    "plays": lambda channel, said: commands.plays(channel, said.scenario),
    "perform": _perform,
    "bust": _perform,
    "correct": _perform,
    "cancel": _perform,
    "pause": lambda channel, _: commands.pause(channel),
    "resume": lambda channel, _: commands.resume(channel),
}


if __name__ == "__main__":
    sys.exit(main())
