"""The command line, as argparse has it."""

import argparse

from fairlead_server.fix import dictionaries

from fix_sim import reflector
from fix_sim.config import Settings

APPL_VER_IDS = {version: appl_ver_id for appl_ver_id, version in dictionaries.APPLICATIONS.items()}
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_TLS = ("tls_cert", "tls_key", "tls_client_ca")
SETTINGS = ("host", "port", "control_port", "store", "fsync", "seed", "universe", "scenarios", *_TLS)


def parser() -> argparse.ArgumentParser:
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
    prices = parsers.add_parser("prices", help="list the prices")
    for asking in (orders, fill, price, prices, *_add_scenarios(parsers)):
        asking.add_argument("--host", default=defaults.host)
        asking.add_argument("--control-port", type=int, default=defaults.control_port)
    return parser


def _add_scenarios(
    parsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> list[argparse.ArgumentParser]:
    """Those that ask a running simulator."""
    parsers.add_parser("scenarios", help="list the scenarios that come with the simulator")
    load = parsers.add_parser("load", help="play scenarios with the orders to come")
    load.add_argument("--file", help="a YAML file, or a folder of them; default: those of the simulator")
    load.add_argument("--times", type=int, help="play each with so many orders, 0 for all")
    load.add_argument("name", nargs="+", help="which of them")
    plays = parsers.add_parser("plays", help="list what became of orders that were played with")
    plays.add_argument("--scenario", default="", help="only this one")
    expect = parsers.add_parser("expect", help="exit with 0 if a scenario was played to its end, 1 if not")
    expect.add_argument("scenario")
    expect.add_argument("--times", type=int, default=1, help="so many times at least")
    expect.add_argument("--within", type=float, default=10.0, help="seconds to wait for that")
    perform = parsers.add_parser("perform", help="take steps of a scenario at once")
    perform.add_argument("target", help="an OrderID(37)")
    perform.add_argument(
        "--session",
        dest="kind",
        action="store_const",
        const="session",
        help="it is a session, as `orders` names it",
    )
    perform.add_argument("steps", help="YAML, such as 'trade: {qty: 100, price: 230.10}'")
    bust = parsers.add_parser("bust", help="take a fill back")
    correct = parsers.add_parser("correct", help="correct a fill")
    cancel = parsers.add_parser("cancel", help="cancel an order that nobody asked to cancel")
    cancel.add_argument("--reason", help="ExecRestatementReason(378)")
    cancel.add_argument("--text")
    correct.add_argument("--qty")
    correct.add_argument("--price")
    for by_hand in (bust, correct):
        by_hand.add_argument("--fill", help="which of its fills, from 1; the last one if not given")
    for by_hand in (bust, correct, cancel):
        by_hand.add_argument("target", help="an OrderID(37)")
    for by_hand in (perform, bust, correct, cancel):
        by_hand.add_argument(
            "--cl-ord-id", dest="kind", action="store_const", const="cl_ord_id", help="it is a ClOrdID(11)"
        )
        by_hand.set_defaults(kind="order_id")
    pause = parsers.add_parser("pause", help="answer no request about orders until resumed")
    resume = parsers.add_parser("resume", help="answer what was asked meanwhile, and go on")
    return [load, plays, expect, perform, bust, correct, cancel, pause, resume]


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
    serve.add_argument(
        "--scenarios", help="a YAML file, or a folder of them; an order that fits one is played"
    )
    serve.add_argument("--tls-cert", help="our certificate, a file in PEM form; with it FIX goes over TLS")
    serve.add_argument("--tls-key", help="its key, if that is not in the same file")
    serve.add_argument("--tls-client-ca", help="demand certificates that these have signed")
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
        "--applver", choices=sorted(APPL_VER_IDS), default="FIX.5.0SP2", help="with --begin FIXT.1.1"
    )
    reflect.add_argument("--log-level", choices=_LOG_LEVELS, default="WARNING")


def _port(text: str) -> int:
    port = int(text)
    if port not in range(65536):
        raise ValueError(text)
    return port
