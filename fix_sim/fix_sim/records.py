"""A turn as a line of the journal, and a line applied to what is remembered. The fields are listed in docs/fix-sim.md.

Decimals and times are text, enumerations the characters of FIX; what has not changed is left out.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from fairlead_server.fix import tags
from fairlead_server.fix.message import Message
from fairlead_server.fix.terms import Numbers, Sent

from fix_sim.broker import Part, Turn
from fix_sim.engine import Ids, Price
from fix_sim.orders import ExecutionReport, Fill, Order, OrdStatus, OrdType, Side, Terms, TimeInForce
from fix_sim.rules import Action, Rule
from fix_sim.translate import Outgoing

Record = dict[str, Any]


@dataclass(slots=True)
class Memory:
    """What the lines so far add up to, but for the messages sent."""

    ids: Ids | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    numbers: dict[str, Numbers] = field(default_factory=dict)
    queues: dict[str, deque[Outgoing]] = field(default_factory=dict)
    appl_ver_ids: dict[str, str] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Raises LookupError, TypeError, ValueError or ArithmeticError if it is no record of ours."""
        for client, part in record.get("sessions", {}).items():
            self.numbers[client] = Numbers(*part["numbers"])
            queue = self.queues.setdefault(client, deque())
            queue.extend(
                Outgoing(kind, [(tag, text) for tag, text in fields]) for kind, fields in part["queued"]
            )
            for _ in range(part["dequeued"]):
                queue.popleft()
            if "appl_ver_id" in part:
                self.appl_ver_ids[client] = part["appl_ver_id"]
        for order in map(_read_order, record.get("orders", ())):
            self.orders[order.order_id] = order
        for symbol, price in record.get("prices", {}).items():
            self.prices[symbol] = Price(Decimal(price), datetime.fromisoformat(record["at"]))
        if "ids" in record:
            self.ids = Ids(*record["ids"])


def write_turn(turn: Turn, ids: Ids, numbers: Mapping[str, Numbers]) -> Record | None:
    """None if the turn leaves everything as it was; ``numbers`` are those last written."""
    record: Record = {
        "sessions": {
            client: _write_part(part)
            for client, part in turn.parts.items()
            if part.queued
            or part.dequeued
            or part.received
            or part.sent
            or part.numbers != numbers.get(client)
        },
        "orders": [_write_order(order) for order in turn.orders.values()],
        "executions": [_write_execution(report) for report in turn.executions],
        "prices": {symbol: str(price.value) for symbol, price in turn.prices.items()},
    }
    record = {name: value for name, value in record.items() if value}
    if not record:
        return None
    if turn.executions:
        record["ids"] = [ids.seed, ids.orders, ids.executions]
    return {"at": turn.at.isoformat(), **record}


def read_sent(record: Record, client: str) -> list[Sent]:
    return [
        Sent(
            each["seq"],
            each["type"],
            datetime.fromisoformat(each["sending_time"]),
            each["frame"].encode("latin-1"),
            each["epoch"],
        )
        for each in record["sessions"][client]["sent"]
    ]


def _write_part(part: Part) -> Record:
    numbers = part.numbers
    appl_ver_id = {} if part.appl_ver_id is None else {"appl_ver_id": part.appl_ver_id}
    return {
        "numbers": [numbers.next_in, numbers.next_out, numbers.epoch],
        "received": [_write_received(message) for message in part.received],
        "sent": [
            {
                "seq": sent.msg_seq_num,
                "type": sent.msg_type,
                "sending_time": sent.sending_time.isoformat(),
                "frame": sent.frame.decode("latin-1"),
                "epoch": sent.epoch,
            }
            for sent in part.sent
        ],
        "queued": part.queued,
        "dequeued": part.dequeued,
        **appl_ver_id,
    }


def _write_received(message: Message) -> Record:
    return {
        "seq": message.msg_seq_num,
        "type": message.msg_type,
        "cl_ord_id": message.get(tags.CL_ORD_ID),
        "orig_cl_ord_id": message.get(tags.ORIG_CL_ORD_ID),
        "poss_resend": message.poss_resend,
    }


def _write_execution(report: ExecutionReport) -> Record:
    order = report.order
    return {
        "client": order.client,
        "exec_id": report.exec_id,
        "exec_type": report.exec_type.value,
        "order_id": order.order_id,
        "cl_ord_id": order.cl_ord_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "ord_status": order.ord_status.value,
        "last_qty": str(report.last_qty),
        "last_px": str(report.last_px),
        "cum_qty": str(order.cum_qty),
        "leaves_qty": str(order.leaves_qty),
        **({"exec_ref_id": report.exec_ref_id} if report.exec_ref_id else {}),
    }


def _write_order(order: Order) -> Record:
    terms = order.terms
    return {
        "client": order.client,
        "order_id": order.order_id,
        "cl_ord_ids": order.cl_ord_ids,
        "symbol": order.symbol,
        "side": order.side.value,
        "order_qty": str(terms.order_qty),
        "ord_type": terms.ord_type.value,
        "price": terms.price and str(terms.price),
        "stop_px": terms.stop_px and str(terms.stop_px),
        "time_in_force": terms.time_in_force.value,
        "expire_time": terms.expire_time and terms.expire_time.isoformat(),
        "received_at": order.received_at.isoformat(),
        "account": order.account,
        "action": order.rule.action.value,
        "interval_us": order.rule.interval // _MICROSECOND,
        "cum_qty": str(order.cum_qty),
        "cum_value": str(order.cum_value),
        "fills": [(fill.exec_id, str(fill.qty), str(fill.price)) for fill in order.fills],
        "done": order.done and order.done.value,
        "marks": sorted(mark.value for mark in order.marks),
        "triggered": order.triggered,
        "slices_left": order.slices_left,
        "next_slice_at": order.next_slice_at and order.next_slice_at.isoformat(),
    }


def _read_order(record: Record) -> Order:
    return Order(
        client=record["client"],
        order_id=record["order_id"],
        cl_ord_ids=tuple(record["cl_ord_ids"]),
        symbol=record["symbol"],
        side=Side(record["side"]),
        terms=Terms(
            order_qty=Decimal(record["order_qty"]),
            ord_type=OrdType(record["ord_type"]),
            price=_decimal(record["price"]),
            stop_px=_decimal(record["stop_px"]),
            time_in_force=TimeInForce(record["time_in_force"]),
            expire_time=_time(record["expire_time"]),
        ),
        received_at=datetime.fromisoformat(record["received_at"]),
        account=record["account"],
        rule=Rule(Action(record["action"]), interval=record["interval_us"] * _MICROSECOND),
        cum_qty=Decimal(record["cum_qty"]),
        cum_value=Decimal(record["cum_value"]),
        fills=tuple(Fill(fill[0], Decimal(fill[1]), Decimal(fill[2])) for fill in record.get("fills", ())),
        marks=frozenset(map(OrdStatus, record.get("marks", ()))),
        done=OrdStatus(record["done"]) if record["done"] else None,
        triggered=record["triggered"],
        slices_left=record["slices_left"],
        next_slice_at=_time(record["next_slice_at"]),
    )


_MICROSECOND = timedelta(microseconds=1)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
