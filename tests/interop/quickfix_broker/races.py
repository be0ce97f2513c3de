"""Races, and venues that contradict themselves: an order in a symbol that is named here is dealt with as it is told here.

A race is a list of stages: the first is played when the order comes, each other when its next cancel or replace comes.
The broker's own book is always right; what it says of it may come late, twice, crossed, or wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from tests.interop.quickfix_broker.orders import (
    Entry,
    Fields,
    Fill,
    Order,
    Report,
    Request,
    cancel_reject,
    report,
)

BY_PHONE: Final = "PHONE"
_PRICE: Final = 50
_OVER: Final = frozenset("348C")
_OF_REQUEST: Final = frozenset("6E5")  # told under the name of the request


@dataclass(frozen=True, slots=True)
class Say:
    """``exec_type`` is that of FIX 4.4. ``of`` is the request that is meant, counted from 0, ``fill`` the fill."""

    exec_type: str
    quantity: int = 0
    price: int = _PRICE
    status: str = ""  # OrdStatus(39), where another than the order's
    of: int | None = None
    fill: int = 0
    also: tuple[tuple[int, str], ...] = ()  # said instead or beside
    without: tuple[int, ...] = ()
    rename: bool = False  # OrderID(37) is another one from here on
    poss_resend: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """OrderCancelReject(9)."""

    reason: str  # CxlRejReason(102)
    of: int = -1
    status: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """What was said last comes once more under its ExecID(17), perhaps with other words."""

    also: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Crossed:
    """What was said last comes before what was said before it."""


Step = Say | Refuse | Again | Crossed
Race = tuple[tuple[Step, ...], ...]

_NEW, _CANCELED = Say("0"), Say("4", of=-1)
_PENDING_CANCEL, _PENDING_REPLACE = Say("6", status="6", of=-1), Say("E", status="E", of=-1)
_REPLACED = Say("5", of=-1)


def _trade(quantity: int, **more: object) -> Say:
    return replace(Say("F", quantity), **more)  # type: ignore[arg-type]


RACES: Final[dict[str, Race]] = {
    # Cancels.
    "ACKCROSS": ((), (_NEW, _PENDING_CANCEL, _CANCELED)),
    "FILLCXL": ((_NEW,), (_PENDING_CANCEL, _trade(30, status="6"), _CANCELED)),
    "TOOLATE": ((_NEW,), (_PENDING_CANCEL, _trade(100, status="6"), Refuse("0"))),
    "UNKNOWN": ((_NEW,), (Refuse("1", status="8"),)),
    "LATEFILL": ((_NEW,), (_PENDING_CANCEL, _CANCELED, _trade(40))),
    "LATEFULL": ((_NEW,), (_PENDING_CANCEL, _CANCELED, _trade(100))),
    # Replaces.
    "ABOVE": ((_NEW,), (_trade(60), _PENDING_REPLACE, _REPLACED)),
    "BELOW": ((_NEW,), (_trade(60), _PENDING_REPLACE, _REPLACED)),
    "PENDREJ": ((_NEW,), (_PENDING_REPLACE, Refuse("2"))),
    "OLDNAME": ((_NEW,), (_PENDING_REPLACE, _trade(30, status="E"), _REPLACED)),
    "RENAMED": (
        (_NEW,),
        (_PENDING_REPLACE, replace(_REPLACED, rename=True), _trade(30, without=(11,))),
    ),
    "SERIAL": ((_NEW,), (_PENDING_REPLACE, _REPLACED), (_PENDING_REPLACE, _REPLACED)),
    "CHAIN": (
        (_NEW,),
        (),
        (
            replace(_PENDING_REPLACE, of=0),
            replace(_REPLACED, of=0),
            replace(_PENDING_REPLACE, of=1),
            replace(_REPLACED, of=1),
        ),
    ),
    "CHAINREJ": ((_NEW,), (), (replace(_PENDING_REPLACE, of=0), Refuse("2", of=1), replace(_REPLACED, of=0))),
    # Fills.
    "FILLFIRST": ((_trade(100), _NEW),),
    "OVERFILL": ((_NEW, _trade(90), _trade(30)),),
    "TWICE": ((_NEW, _trade(30), Again(), _trade(20)),),
    "CONFLICT": ((_NEW, _trade(30), Again(((32, "60"), (14, "60"), (151, "40"))), _trade(20)),),
    "RESEND": ((_NEW, _trade(30), _trade(20, poss_resend=True)),),
    "CROSSED": ((_NEW, _trade(30), _trade(20), Crossed()),),
    "NAMELESS": (
        (_NEW, _trade(30, without=(11,))),
        (replace(_PENDING_CANCEL, without=(11, 41)), replace(_CANCELED, without=(11, 41))),
    ),
    "WRONGCUM": ((_NEW, _trade(30, also=((14, "35"), (151, "65"))), _trade(20)),),
    BY_PHONE: ((_NEW,),),
    "BUST": ((_NEW, _trade(30), _trade(20), Say("H")),),
    "BUSTFULL": ((_NEW, _trade(100), Say("H")),),
    "BUSTFIRST": ((_NEW, _trade(30), Say("H"), Crossed()),),
    "CORRECT": ((_NEW, _trade(30), Say("G", 40, 49)),),
    "CORRBUST": ((_NEW, _trade(30), Say("G", 40, 49), Say("H")),),
    # What nobody asked for.
    "UNSOLICIT": ((_NEW, _trade(30), Say("4")),),
    "RESTATE": ((_NEW, Say("D", 60, also=((378, "5"),))),),
    "DONE": ((_NEW, _trade(30), Say("3")),),
    "EXPIRE": ((_NEW, _trade(30), Say("C")),),
    "SUSPEND": ((_NEW, Say("9", status="9"), _trade(30)),),
    "STOPPED": ((_NEW, Say("7", status="7"), _trade(100)),),
    "PENDNEW": ((Say("A", status="A"), _NEW),),
    "REFUSED": ((Say("A", status="A"), Say("8", also=((103, "0"), (58, "not today")))),),
}


def play(order: Order, key: Callable[[], str]) -> Entry:
    """The stage that has come. ``key`` gives a new ExecID(17)."""
    race, stage = RACES[order.symbol], len(order.requests)
    told: list[Report] = []
    for step in race[stage] if stage < len(race) else ():
        match step:
            case Say():
                order, said = _say(order, step, key())
                told.append(said)
            case Refuse():
                told.append(_refuse(order, step, key()))
            case Again():
                told.append(replace(_edited(told[-1], step.also), key=key()))
            case Crossed():
                told[-2:] = told[:-3:-1]
    return Entry(order, told)


def _say(order: Order, step: Say, key: str) -> tuple[Order, Report]:
    request = None if step.of is None else order.requests[step.of]
    after = _booked(order, step, request, key)
    after = replace(after, status=_status(after, step.exec_type))
    if step.rename:
        after = replace(after, renamed=f"{order.order_id}-B")
    shown, more = after, list(_details(order, step))
    if request is not None:
        shown, more = replace(after, cl_ord_id=request.cl_ord_id), [(41, request.orig), *more]
    told = _edited(report(key, shown, step.exec_type, more, step.status), step.also)
    fields = [(tag, value) for tag, value in told.fields if tag not in step.without]
    return after, replace(told, fields=fields, poss_resend=step.poss_resend)


def _booked(order: Order, step: Say, request: Request | None, key: str) -> Order:
    fill = Fill(key, Decimal(step.quantity), Decimal(step.price))
    match step.exec_type:
        case "F":
            return replace(order, fills=(*order.fills, fill))
        case "G" | "H":
            fills = list(order.fills)
            fills[step.fill : step.fill + 1] = [fill] if step.exec_type == "G" else []
            return replace(order, fills=tuple(fills))
        case "D":
            return replace(order, quantity=fill.quantity)
        case "5" if request is not None and request.quantity is not None:
            quantity = max(request.quantity, order.filled)
            return replace(order, cl_ord_id=request.cl_ord_id, quantity=quantity, price=request.price)
        case "4" if request is not None:
            return replace(order, cl_ord_id=request.cl_ord_id)
        case _:
            return order


def _status(order: Order, exec_type: str) -> str:
    if order.filled and order.filled >= order.quantity:
        return "2"
    if exec_type in _OVER:
        return exec_type
    if order.status in _OVER:
        return order.status
    return "1" if order.filled else "0"


def _details(order: Order, step: Say) -> Fields:
    trade: Fields = [(32, str(step.quantity)), (31, str(step.price))]
    match step.exec_type:
        case "F":
            return trade
        case "G":
            return [(19, order.fills[step.fill].exec_id), *trade]
        case "H":
            return [(19, order.fills[step.fill].exec_id)]
        case _:
            return []


def _refuse(order: Order, step: Refuse, key: str) -> Report:
    request = order.requests[step.of]
    to = "1" if request.quantity is None else "2"
    told = cancel_reject(key, order, order.begin_string, request, to, step.reason)
    return _edited(told, ((39, step.status),) if step.status else ())


def _edited(told: Report, also: tuple[tuple[int, str], ...]) -> Report:
    new = dict(also)
    fields = [(tag, new.pop(tag, value)) for tag, value in told.fields]
    return replace(told, fields=[*fields, *new.items()])
