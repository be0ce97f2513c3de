"""The venue of these tests: one FIX acceptor of our own session core, on loopback, that answers as it is told to.

``answers`` says, for each type of message, what comes back; a test replaces the ones it is about. What was heard is
kept in ``heard``, so that a test can say that nothing was sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from fairlead_server.fix import events, msg_types, tags
from fairlead_server.fix.message import Fields, Message
from fairlead_server.fix.session import Numbers, Ready, Role, Sent, Session, SessionConfig
from fairlead_server.fix.values import write_utc_timestamp

ZERO = Decimal(0)


@dataclass
class Resting:
    """An order as the venue has it."""

    venue_order_id: str
    cl_ord_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: str
    filled: Decimal = ZERO
    ended: bool = False


Outgoing = tuple[str, Fields]
Answer = Callable[["Broker", Resting, Message], Iterable[Outgoing]]


class Broker:
    def __init__(self, config: SessionConfig, numbers: Numbers) -> None:
        self.session = Session(config, numbers)
        self.heard: list[Message] = []
        self.orders: dict[str, Resting] = {}
        self.answers: dict[str, Answer] = {
            msg_types.NEW_ORDER_SINGLE: accept,
            msg_types.ORDER_CANCEL_REPLACE_REQUEST: replace,
            msg_types.ORDER_CANCEL_REQUEST: cancel,
            msg_types.ORDER_STATUS_REQUEST: ignore,
        }
        self._sent: list[Sent] = []
        self._writer: asyncio.StreamWriter | None = None
        self._news = asyncio.Event()
        self._numbers: Counter[str] = Counter()
        self.serving: list[asyncio.Task[None]] = []

    def count(self, msg_type: str) -> int:
        return sum(message.msg_type == msg_type for message in self.heard)

    async def until(self, msg_type: str, count: int = 1) -> None:
        """Wait until so many messages of this type were heard."""
        while self.count(msg_type) < count:
            await self._news.wait()
            self._news.clear()

    def say(self, *messages: Outgoing) -> None:
        """Unasked, or later than at once."""
        for msg_type, fields in messages:
            self._take(self.session.send(msg_type, fields, _now()))

    def only(self) -> Resting:
        """The one order there is."""
        (resting,) = set(map(id, self.orders.values()))
        return next(order for order in self.orders.values() if id(order) == resting)

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def number(self, kind: str) -> str:
        self._numbers[kind] += 1
        return f"{kind}{self._numbers[kind]}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self.serving.append(task)
        await task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._take(self.session.connected(_now()))
        try:
            while data := await reader.read(1 << 16):
                self._take(self.session.receive(data, _now()))
        except ConnectionError:
            pass  # as good an end as any
        finally:
            self.session.disconnected()
            writer.close()

    def _take(self, ready: Ready) -> None:
        self._sent += ready.journal
        if self._writer is not None:
            self._writer.write(bytes(ready.wire))
        for event in ready.events:
            match event:
                case events.Received():
                    self._answer(event.message)
                case events.ResendWanted():
                    again = [sent for sent in self._sent if event.begin <= sent.msg_seq_num <= event.end]
                    self._take(self.session.resend(event, again, _now()))
                case events.Disconnect():
                    self.hang_up()
                case _:
                    pass

    def _answer(self, message: Message) -> None:
        self.heard.append(message)
        self._news.set()
        cl_ord_id = message[tags.CL_ORD_ID]
        if message.msg_type == msg_types.NEW_ORDER_SINGLE:
            assert cl_ord_id not in self.orders, "a ClOrdID(11) was sent twice as new"
            self.orders[cl_ord_id] = self._resting(message)
        resting = self.orders[message.get(tags.ORIG_CL_ORD_ID) or cl_ord_id]
        self.orders[cl_ord_id] = resting  # a later request may name this one
        self.say(*self.answers[message.msg_type](self, resting, message))

    def _resting(self, message: Message) -> Resting:
        return Resting(
            self.number("V"),
            message[tags.CL_ORD_ID],
            message[tags.SYMBOL],
            message[tags.SIDE],
            message.decimal(tags.ORDER_QTY),
            message.get(tags.PRICE) or "",
        )


# What a venue may answer.


def ignore(broker: Broker, order: Resting, message: Message) -> list[Outgoing]:
    return []


def accept(broker: Broker, order: Resting, message: Message) -> list[Outgoing]:
    return [report(broker, order, "0", "0")]


def refuse(broker: Broker, order: Resting, message: Message) -> list[Outgoing]:
    order.ended = True
    reason = [(tags.ORD_REJ_REASON, "2"), (tags.TEXT, "closed for today")]
    return [report(broker, order, "8", "8", *reason)]


def accept_and_fill(broker: Broker, order: Resting, message: Message) -> list[Outgoing]:
    return [*accept(broker, order, message), fill(broker, order)]


def replace(broker: Broker, order: Resting, message: Message) -> list[Outgoing]:
    order.quantity, order.price = message.decimal(tags.ORDER_QTY), message.get(tags.PRICE) or ""
    return [_renamed(broker, order, message, "5", "1" if order.filled else "0")]


def cancel(broker: Broker, order: Resting, message: Message) -> list[Outgoing]:
    order.ended = True
    return [_renamed(broker, order, message, "4", "4")]


def too_late(broker: Broker, order: Resting, message: Message) -> list[Outgoing]:
    """OrderCancelReject(9), to a cancel or a replace."""
    replaces = message.msg_type == msg_types.ORDER_CANCEL_REPLACE_REQUEST
    fields = [
        (tags.ORDER_ID, order.venue_order_id),
        (tags.CL_ORD_ID, message[tags.CL_ORD_ID]),
        (tags.ORIG_CL_ORD_ID, message[tags.ORIG_CL_ORD_ID]),
        (tags.ORD_STATUS, "0"),
        (tags.CXL_REJ_RESPONSE_TO, "2" if replaces else "1"),
        (tags.CXL_REJ_REASON, "0"),
        (tags.TEXT, "too late"),
    ]
    return [(msg_types.ORDER_CANCEL_REJECT, fields)]


def fill(broker: Broker, order: Resting, quantity: Decimal | None = None, price: str = "50") -> Outgoing:
    """All that is left, unless told otherwise."""
    last = order.quantity - order.filled if quantity is None else quantity
    order.filled += last
    order.ended = order.filled == order.quantity
    traded = [(tags.LAST_QTY, str(last)), (tags.LAST_PX, price)]
    return report(broker, order, "F", "2" if order.ended else "1", *traded)


def report(
    broker: Broker, order: Resting, exec_type: str, ord_status: str, *more: tuple[int, str]
) -> Outgoing:
    leaves = ZERO if order.ended else order.quantity - order.filled
    fields = [
        (tags.ORDER_ID, order.venue_order_id),
        (tags.CL_ORD_ID, order.cl_ord_id),
        (tags.EXEC_ID, broker.number("E")),
        (tags.EXEC_TYPE, exec_type),
        (tags.ORD_STATUS, ord_status),
        (tags.SYMBOL, order.symbol),
        (tags.SIDE, order.side),
        (tags.ORDER_QTY, str(order.quantity)),
        (tags.LEAVES_QTY, str(leaves)),
        (tags.CUM_QTY, str(order.filled)),
        (tags.AVG_PX, "50" if order.filled else "0"),
        (tags.TRANSACT_TIME, write_utc_timestamp(_now())),
        *more,
    ]
    return msg_types.EXECUTION_REPORT, fields


def _renamed(broker: Broker, order: Resting, message: Message, exec_type: str, ord_status: str) -> Outgoing:
    """The order goes on under the ClOrdID(11) of the request that is granted."""
    order.cl_ord_id = message[tags.CL_ORD_ID]
    orig = (tags.ORIG_CL_ORD_ID, message[tags.ORIG_CL_ORD_ID])
    return report(broker, order, exec_type, ord_status, orig)


@asynccontextmanager
async def listening(numbers: Numbers) -> AsyncIterator[tuple[Broker, int]]:
    """A broker, and the port on which it can be reached."""
    broker = Broker(SessionConfig("FIX.4.4", "BROKER", "FAIRLEAD", Role.ACCEPTOR), numbers)
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    try:
        yield broker, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        broker.hang_up()
        await asyncio.gather(*broker.serving)  # which also tells what went wrong here
        await server.wait_closed()


def _now() -> datetime:
    return datetime.now(UTC)
