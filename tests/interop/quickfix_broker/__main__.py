"""A broker on QuickFIX: three acceptor sessions, FIX.4.2, FIX.4.4 and FIX.5.0SP2 over FIXT.1.1, on one port.

Sessions, sequence numbers, validation and the message store are QuickFIX's own, with its dictionaries; :mod:`desk`
only decides what happens to orders. One thread does it all: QuickFIX is polled, and between polls the market moves.
Runs in a virtual environment of its own: ``python -m tests.interop.quickfix_broker PORT FOLDER``.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import quickfix as fix

from tests.interop.quickfix_broker import journal
from tests.interop.quickfix_broker.desk import SLICE_SECONDS, Desk
from tests.interop.quickfix_broker.journal import Journal
from tests.interop.quickfix_broker.orders import FIX_42, FIX_44, FIXT, Entry, Order, Report

_SETTINGS = """
[DEFAULT]
ConnectionType=acceptor
SocketAcceptHost=127.0.0.1
SocketAcceptPort={port}
SocketReuseAddress=Y
SocketNodelay=Y
FileStorePath={folder}/store
FileLogPath={folder}/log
NonStopSession=Y
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary=Y
ValidateFieldsOutOfOrder=Y
ValidateFieldsHaveValues=Y
ValidateUserDefinedFields=Y
CheckLatency=Y
MaxLatency=120
CheckCompID=Y
SenderCompID=QUICKFIX
TargetCompID=FAIRLEAD
[SESSION]
BeginString=FIX.4.2
DataDictionary={dictionaries}/FIX42.xml
[SESSION]
BeginString=FIX.4.4
DataDictionary={dictionaries}/FIX44.xml
[SESSION]
BeginString=FIXT.1.1
DefaultApplVerID=FIX.5.0SP2
TransportDataDictionary={dictionaries}/FIXT11.xml
AppDataDictionary={dictionaries}/FIX50SP2.xml
"""
_POSS_RESEND = (97, "Y")


class Broker(fix.Application):  # type: ignore[misc]  # quickfix has no types
    def __init__(self, folder: Path) -> None:
        super().__init__()
        path = folder / "journal.jsonl"
        self._untold = journal.untold(path)
        self._desk = Desk(folder.name)
        self._desk.load(journal.orders(path), len(journal.reports(path)))
        self._journal = Journal(path)
        self._moved: dict[str, float] = {}
        self._sessions = {
            version: fix.SessionID(version, "QUICKFIX", "FAIRLEAD") for version in (FIX_42, FIX_44, FIXT)
        }

    # QuickFIX calls these.

    def onCreate(self, session_id: Any) -> None: ...

    def onLogon(self, session_id: Any) -> None: ...

    def onLogout(self, session_id: Any) -> None: ...

    def toAdmin(self, message: Any, session_id: Any) -> None: ...

    def fromAdmin(self, message: Any, session_id: Any) -> None: ...

    def toApp(self, message: Any, session_id: Any) -> None: ...

    def fromApp(self, message: Any, session_id: Any) -> None:
        try:
            self._on_message(message, session_id.getBeginString().getString())
        except Exception:  # noqa: BLE001 - QuickFIX would swallow it, and the test would wait for ever
            traceback.print_exc()
            os._exit(70)

    # What arrives.

    def _on_message(self, message: Any, begin_string: str) -> None:
        header = message.getHeader()
        msg_type, cl_ord_id = header.getField(35), message.getField(11)
        poss_dup = header.isSetField(43) and header.getField(43) == "Y"
        self._journal.heard(begin_string, msg_type, int(header.getField(34)), cl_ord_id, poss_dup=poss_dup)
        if msg_type in "DFG" and poss_dup and self._desk.knows(begin_string, cl_ord_id):
            return  # done already; whoever missed the answer asks for it again
        entry = _HANDLERS[msg_type](self._desk, message, begin_string, cl_ord_id)
        self._carry_out(entry, "" if msg_type == "H" else cl_ord_id)

    def _carry_out(self, entry: Entry, cl_ord_id: str = "") -> None:
        self._journal.entry(entry, cl_ord_id)
        self._desk.keep(entry, cl_ord_id)
        self._tell(entry.reports)

    def _tell(self, reports: list[Report], *, again: bool = False) -> None:
        for report in reports:
            message = fix.Message()
            message.getHeader().setField(fix.StringField(35, report.msg_type))
            if again or report.poss_resend:
                message.getHeader().setField(fix.StringField(*_POSS_RESEND))
            for tag, value in report.fields:
                message.setField(fix.StringField(tag, value))
            message.setField(fix.TransactTime())
            fix.Session.sendToTarget(message, self._sessions[report.begin_string])
        self._journal.told([report.key for report in reports])

    # What happens by itself.

    def catch_up(self) -> None:
        """Tell what was decided before a crash and may not have been told."""
        self._tell(self._untold, again=True)

    def move(self, now: float) -> None:
        for order in [order for order in self._desk.orders.values() if order.live]:
            if now < self._moved.get(order.order_id, 0.0):
                continue
            entry = self._desk.due(order)
            if entry is not None:
                self._moved[order.order_id] = now + SLICE_SECONDS
                self._carry_out(entry)


def _new_order(desk: Desk, message: Any, begin_string: str, cl_ord_id: str) -> Entry:
    return desk.new_order(
        Order(
            "",
            begin_string,
            cl_ord_id,
            _get(message, 1),
            message.getField(55),
            message.getField(54),
            message.getField(40),
            _get(message, 59),
            Decimal(message.getField(38)),
            _price(message),
        )
    )


def _replace(desk: Desk, message: Any, begin_string: str, cl_ord_id: str) -> Entry:
    quantity = Decimal(message.getField(38))
    return desk.replace(begin_string, cl_ord_id, message.getField(41), quantity, _price(message))


def _cancel(desk: Desk, message: Any, begin_string: str, cl_ord_id: str) -> Entry:
    return desk.cancel(begin_string, cl_ord_id, message.getField(41))


def _status(desk: Desk, message: Any, begin_string: str, cl_ord_id: str) -> Entry:
    return desk.status(begin_string, cl_ord_id, message.getField(55), message.getField(54))


_HANDLERS: dict[str, Callable[[Desk, Any, str, str], Entry]] = {
    "D": _new_order,
    "G": _replace,
    "F": _cancel,
    "H": _status,
}


def _get(message: Any, tag: int) -> str:
    return str(message.getField(tag)) if message.isSetField(tag) else ""


def _price(message: Any) -> Decimal | None:
    return Decimal(message.getField(44)) if message.isSetField(44) else None


def main(port: int, folder: Path) -> None:
    settings = folder / "quickfix.cfg"
    dictionaries = Path(sys.prefix) / "share" / "quickfix"
    settings.write_text(_SETTINGS.format(port=port, folder=folder, dictionaries=dictionaries))
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))

    read = fix.SessionSettings(str(settings))
    broker = Broker(folder)
    acceptor = fix.SocketAcceptor(broker, fix.FileStoreFactory(read), read, fix.FileLogFactory(read))
    broker.catch_up()
    print("ready", flush=True)
    while not stopping:
        acceptor.poll()
        broker.move(time.monotonic())
    acceptor.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]).resolve())
