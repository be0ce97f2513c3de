"""The same as :mod:`tests.benchmarks.fix_leg` on QuickFIX: run by the Python that has it, which has nothing of ours.

``python -m tests.benchmarks.quickfix_leg PORT FOLDER``. Its FileStore keeps the numbers and what was sent, and does not
force it to the disk; what is received is validated by its dictionary and not kept.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from time import perf_counter
from typing import Any

import quickfix as fix

WINDOW = 64
_SETTINGS = """
[DEFAULT]
ConnectionType=initiator
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SocketNodelay=Y
ReconnectInterval=1
HeartBtInt=30
FileStorePath={folder}/store
StartTime=00:00:00
EndTime=00:00:00
NonStopSession=Y
UseDataDictionary=Y
ValidateFieldsOutOfOrder=Y
ValidateFieldsHaveValues=Y
DataDictionary={dictionary}
SenderCompID=FAIRLEAD
TargetCompID=VENUE
[SESSION]
BeginString=FIX.4.4
"""


class Leg(fix.Application):  # type: ignore[misc]  # quickfix has no types
    def __init__(self) -> None:
        super().__init__()
        self.active, self.done = threading.Event(), threading.Event()
        self._session_id: Any = None
        self._sent = self._filled = self._wanted = 0

    def orders(self, count: int) -> float:
        """So many a second."""
        self.done.clear()
        self._wanted = self._filled + count
        self._sent += (opening := min(WINDOW, count))  # before an answer can be heard, on another thread
        began = perf_counter()
        for number in range(self._sent - opening + 1, self._sent + 1):
            self._send(number)
        self.done.wait()
        return count / (perf_counter() - began)

    def _send(self, number: int) -> None:
        message = fix.Message()
        message.getHeader().setField(35, "D")
        for tag, value in ((11, f"LEG-{number:08}"), (1, "BENCH1"), (55, "SYM0001"), (54, "1")):
            message.setField(tag, value)
        message.setField(fix.TransactTime())
        for tag, value in ((38, "100"), (40, "2"), (44, "50.25"), (59, "0")):
            message.setField(tag, value)
        fix.Session.sendToTarget(message, self._session_id)

    # QuickFIX calls these.

    def onCreate(self, session_id: Any) -> None:
        self._session_id = session_id

    def onLogon(self, session_id: Any) -> None:
        self.active.set()

    def onLogout(self, session_id: Any) -> None: ...

    def toAdmin(self, message: Any, session_id: Any) -> None: ...

    def fromAdmin(self, message: Any, session_id: Any) -> None: ...

    def toApp(self, message: Any, session_id: Any) -> None: ...

    def fromApp(self, message: Any, session_id: Any) -> None:
        if message.getField(39) != "2":
            return
        self._filled += 1
        if self._sent < self._wanted:
            self._sent += 1
            self._send(self._sent)
        elif self._filled == self._wanted:
            self.done.set()


def main() -> None:
    port, folder = sys.argv[1], Path(sys.argv[2])
    dictionary = Path(sys.prefix) / "share/quickfix/FIX44.xml"
    settings_file = folder / "leg.cfg"
    settings_file.write_text(_SETTINGS.format(port=port, folder=folder, dictionary=dictionary))
    settings = fix.SessionSettings(str(settings_file))
    leg = Leg()
    initiator = fix.SocketInitiator(leg, fix.FileStoreFactory(settings), settings)
    initiator.start()
    leg.active.wait()
    print("logged on", flush=True)
    for line in sys.stdin:
        print(json.dumps({"orders/s": leg.orders(int(line))}), flush=True)
    initiator.stop(True)


if __name__ == "__main__":
    main()
