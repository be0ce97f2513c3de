"""Commands of the router: ``serve`` runs it, ``check`` reads a configuration and says what is wrong with it.

Exit codes: 0 ended as asked; 2 the configuration or the command is wrong; 3 it cannot start, such as a port in use.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from fairlead_server.app import now, serve
from fairlead_server.config import Config, ConfigError, load
from fairlead_server.store.database import StoreError
from fairlead_server.telemetry import set_up_logging

_WRONG, _CANNOT_START = 2, 3


def main() -> None:
    arguments = _parser().parse_args()

    def read() -> Config:
        return load(arguments.config, arguments.set, os.environ, now())

    try:
        config = read()
    except ConfigError as error:
        _fail(f"fairlead: {error}", _WRONG)
    if arguments.command == "check":
        print(f"{arguments.config}: good, version {config.version[:12]}")
        return
    set_up_logging(config.log_level)
    try:
        asyncio.run(_serve(config, read))
    except (StoreError, OSError) as error:
        _fail(f"fairlead: {error}", _CANNOT_START)


async def _serve(config: Config, read: Callable[[], Config]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(config, read, stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fairlead_server", description="The Fairlead order router.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("serve", "run the router"), ("check", "check a configuration")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, required=True, metavar="FILE", help="the TOML file")
        command.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="override, such as server.port=50061",
        )
    return parser


def _fail(text: str, code: int) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
