"""What the broker remembers and what tests read: a line of JSON for each thing that happened.

``heard``: an application message arrived. ``entry``: a decision, with the order as it then stands and what is to be
told. ``told``: the reports of these keys were given to QuickFIX. A report without ``told`` is told again after a
crash, under the same ExecID(17) and with PossResend(97)=Y.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.interop.quickfix_broker.orders import Entry, Fill, Order, Report, Request


class Journal:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)  # a write that has returned survives kill -9

    def heard(
        self, begin_string: str, msg_type: str, seq_num: int, cl_ord_id: str, *, poss_dup: bool
    ) -> None:
        self._write(
            "heard",
            begin_string=begin_string,
            msg_type=msg_type,
            seq_num=seq_num,
            cl_ord_id=cl_ord_id,
            poss_dup=poss_dup,
        )

    def entry(self, entry: Entry, cl_ord_id: str = "") -> None:
        self._write("entry", cl_ord_id=cl_ord_id, **asdict(entry))

    def told(self, keys: list[str]) -> None:
        self._write("told", keys=keys)

    def close(self) -> None:
        self._file.close()

    def _write(self, kind: str, **facts: Any) -> None:
        self._file.write(json.dumps({"kind": kind, **facts}, default=str).encode() + b"\n")


def read(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    if path.exists():
        lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        yield from (line for line in lines if line["kind"] == kind)


def orders(path: Path) -> Iterator[tuple[str, Order]]:
    """Each order as it stood after each entry, with the ClOrdID(11) that the entry was made for."""
    for line in read(path, "entry"):
        if line["order"] is not None:
            order = _order(line["order"])
            yield line["cl_ord_id"] or order.cl_ord_id, order


def reports(path: Path) -> list[Report]:
    return [
        Report(**{**r, "fields": [(tag, value) for tag, value in r["fields"]]})
        for line in read(path, "entry")
        for r in line["reports"]
    ]


def untold(path: Path) -> list[Report]:
    told = {key for line in read(path, "told") for key in line["keys"]}
    return [report for report in reports(path) if report.key not in told]


def _order(facts: dict[str, Any]) -> Order:
    fills = tuple(Fill(f["exec_id"], Decimal(f["quantity"]), Decimal(f["price"])) for f in facts["fills"])
    requests = tuple(
        Request(r["cl_ord_id"], r["orig"], _decimal(r["quantity"]), _decimal(r["price"]))
        for r in facts["requests"]
    )
    known = {"quantity": Decimal(facts["quantity"]), "price": _decimal(facts["price"])}
    return Order(**{**facts, **known, "fills": fills, "requests": requests})


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
