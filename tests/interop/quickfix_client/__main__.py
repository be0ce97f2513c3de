"""A client on QuickFIX: three initiator sessions, FIX.4.2, FIX.4.4 and FIX.5.0SP2 over FIXT.1.1, to one port.

It sends what it finds in ``FOLDER/wanted.jsonl``, line by line, and notes in ``FOLDER/journal.jsonl`` what it has sent and
heard. Sessions, sequence numbers, validation and the message store are QuickFIX's own, with its dictionaries. Runs in a
virtual environment of its own: ``python -m tests.interop.quickfix_client PORT FOLDER [SETTING=VALUE...]``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import quickfix as fix

_SETTINGS = """
[DEFAULT]
ConnectionType=initiator
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SocketNodelay=Y
ReconnectInterval=1
HeartBtInt=30
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
TargetCompID=SIM
{more}
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
_AT_ONCE = 20  # messages sent between two looks at what has come
_POSS_RESEND = (97, "Y")
_HEARD = (11, 17, 37, 39, 14, 151, 150, 20, 58)  # tags that are noted


class Client(fix.Application):  # type: ignore[misc]  # quickfix has no types
    def __init__(self, folder: Path) -> None:
        super().__init__()
        path = folder / "journal.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kinds = [json.loads(line)["kind"] for line in lines]
        self._begun, self._sent = kinds.count("sending"), kinds.count("sent")
        self._file = path.open("ab", buffering=0)  # a write that has returned survives kill -9
        self._wanted = (folder / "wanted.jsonl").open("rb")
        for _ in range(self._sent):
            self._wanted.readline()
        self._next = b""

    # QuickFIX calls these.

    def onCreate(self, session_id: Any) -> None: ...

    def onLogon(self, session_id: Any) -> None:
        self._note("logon", begin_string=session_id.getBeginString().getString())

    def onLogout(self, session_id: Any) -> None:
        self._note("logout", begin_string=session_id.getBeginString().getString())

    def toAdmin(self, message: Any, session_id: Any) -> None: ...

    def fromAdmin(self, message: Any, session_id: Any) -> None: ...

    def toApp(self, message: Any, session_id: Any) -> None: ...

    def fromApp(self, message: Any, session_id: Any) -> None:
        try:
            self._on_message(message, session_id.getBeginString().getString())
        except Exception:  # noqa: BLE001 - QuickFIX would swallow it, and the test would wait for ever
            traceback.print_exc()
            os._exit(70)

    def _on_message(self, message: Any, begin_string: str) -> None:
        header = message.getHeader()
        poss_dup = header.isSetField(43) and header.getField(43) == "Y"
        fields = {tag: message.getField(tag) for tag in _HEARD if message.isSetField(tag)}
        self._note(
            "heard",
            begin_string=begin_string,
            msg_type=header.getField(35),
            seq_num=int(header.getField(34)),
            poss_dup=poss_dup,
            fields=fields,
        )

    # What is to be sent.

    def send_some(self) -> None:
        """What may have been sent before a crash is sent again, and says so."""
        for _ in range(_AT_ONCE):
            if not self._next.endswith(b"\n"):
                self._next += self._wanted.readline()
            if not self._next.endswith(b"\n"):
                return
            wanted = json.loads(self._next)
            session_id = fix.SessionID(wanted["begin_string"], "QUICKFIX", "SIM")
            if not fix.Session.lookupSession(session_id).isLoggedOn():
                return  # QuickFIX would number it and keep it until somebody notices the gap
            again = self._begun > self._sent
            if not again:
                self._note("sending")
                self._begun += 1
            fix.Session.sendToTarget(_message(wanted, again=again), session_id)
            self._note("sent")
            self._sent, self._next = self._sent + 1, b""

    def _note(self, kind: str, **facts: Any) -> None:
        self._file.write(json.dumps({"kind": kind, **facts}).encode() + b"\n")
        if kind not in {"sending", "sent"}:
            print(kind, flush=True)  # for who waits for something to happen


def _message(wanted: dict[str, Any], *, again: bool) -> Any:
    message = fix.Message()
    message.getHeader().setField(fix.StringField(35, wanted["msg_type"]))
    if again:
        message.getHeader().setField(fix.StringField(*_POSS_RESEND))
    for tag, value in wanted["fields"]:
        message.setField(fix.StringField(tag, value))
    if wanted["msg_type"] != "H":
        message.setField(fix.TransactTime())
    return message


def main(port: int, folder: Path, more: list[str]) -> None:
    settings = folder / "quickfix.cfg"
    dictionaries = Path(sys.prefix) / "share" / "quickfix"
    settings.write_text(
        _SETTINGS.format(port=port, folder=folder, dictionaries=dictionaries, more="\n".join(more))
    )
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))

    read = fix.SessionSettings(str(settings))
    client = Client(folder)
    initiator = fix.SocketInitiator(client, fix.FileStoreFactory(read), read, fix.FileLogFactory(read))
    print("ready", flush=True)
    while not stopping:
        initiator.poll()
        client.send_some()
    sessions = [fix.Session.lookupSession(session_id) for session_id in initiator.getSessions()]
    for session in sessions:
        session.logout()
    while any(session.isLoggedOn() for session in sessions):
        initiator.poll()
    initiator.stop(True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]).resolve(), sys.argv[3:])
