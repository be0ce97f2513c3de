"""Runs a module as ``python -m`` would, with a clock around the router's parts: ``clocked OUT MODULE ARGUMENTS``.

A part is some methods; its time is the CPU of the thread that is in them, without what it spends in parts within. The clock
itself takes about a microsecond a call, which counts for the part around. What came together is left in the file OUT.
"""

from __future__ import annotations

import functools
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from threading import local
from time import thread_time
from typing import Any

from fairlead_server.api.subscription import Subscription
from fairlead_server.api.trade_stream import TradeStream
from fairlead_server.fix.session import Session
from fairlead_server.routing.checks import Checks
from fairlead_server.routing.executions import Executions
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.order_entry import OrderEntry
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.store.database import Store
from fairlead_server.venue.gateway import VenueSession

PARTS: dict[str, tuple[tuple[type, str], ...]] = {
    "the stream's commands": ((TradeStream, "_take"),),
    "decisions": ((OrderEntry, "submit"),),
    "risk controls": ((Checks, "new"), (Checks, "decided")),
    "FIX session, out": ((Session, "send"),),
    "FIX session, in": ((Session, "receive"),),
    "reports read": ((VenueSession, "received"),),
    "reports applied": ((Executions, "apply"),),
    "events rendered": ((Ledger, "_row"),),
    "commits": ((Store, "begin"), (Store, "_finish")),
    "acts after a commit": ((Pipeline, "_finish"),),
    "the subscriber": ((Subscription, "_events"),),
}


class _Here(local):
    within = 0.0  # of the part that this thread is in: what its inner parts have taken


class Clock:
    def __init__(self) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._here = _Here()

    def around(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        seconds, here = self.seconds, self._here

        @functools.wraps(method)
        def clocked(*arguments: Any, **named: Any) -> Any:
            outer, here.within = here.within, 0.0
            began = thread_time()
            try:
                return method(*arguments, **named)
            finally:
                took = thread_time() - began
                seconds[part] += took - here.within
                here.within = outer + took

        return clocked


def main() -> None:
    out, module, *arguments = sys.argv[1:]
    clock = Clock()
    for part, methods in PARTS.items():
        for kind, name in methods:
            setattr(kind, name, clock.around(part, getattr(kind, name)))
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        Path(out).write_text(json.dumps(clock.seconds))


if __name__ == "__main__":
    main()
