"""What a report of a scenario does to the order that it tells of, beside trades and answers to requests."""

from collections.abc import Callable

from msgspec.structs import replace

from fix_sim.orders import ExecType, Order, OrdStatus
from fix_sim.scenario import Tell


def changed(step: Tell, order: Order) -> Order:
    change = _CHANGES.get(step.exec_type)
    return order if change is None else change(order, step)


def unasked(step: Tell, order: Order) -> Order:
    if step.exec_type is ExecType.CANCELED:
        return replace(order, done=OrdStatus.CANCELED, marks=frozenset())
    return _restated(order, step)


def _restated(order: Order, step: Tell) -> Order:
    terms = order.terms
    terms = replace(
        terms,
        order_qty=terms.order_qty if step.qty is None else step.qty,
        price=terms.price if step.price is None else step.price,
    )
    return replace(order, terms=terms, done=returned(order))


def returned(order: Order) -> OrdStatus | None:
    """An order that was done for the day works again the next one; no other end is undone."""
    multi_day = order.terms.time_in_force.multi_day
    return None if order.done is OrdStatus.DONE_FOR_DAY and multi_day else order.done


def _new(order: Order, _: Tell) -> Order:
    marks = order.marks - {OrdStatus.PENDING_NEW, OrdStatus.SUSPENDED}
    return replace(order, marks=marks, done=returned(order))


def _ended(status: OrdStatus) -> Callable[[Order, Tell], Order]:
    return lambda order, _: replace(order, done=status, marks=frozenset())


def _marked(status: OrdStatus) -> Callable[[Order, Tell], Order]:
    return lambda order, _: replace(order, marks=order.marks | {status})


_CHANGES: dict[ExecType, Callable[[Order, Tell], Order]] = {
    ExecType.PENDING_NEW: _marked(OrdStatus.PENDING_NEW),
    ExecType.NEW: _new,
    ExecType.DONE_FOR_DAY: _ended(OrdStatus.DONE_FOR_DAY),
    ExecType.REJECTED: _ended(OrdStatus.REJECTED),
    ExecType.EXPIRED: _ended(OrdStatus.EXPIRED),
    ExecType.STOPPED: _marked(OrdStatus.STOPPED),
    ExecType.SUSPENDED: _marked(OrdStatus.SUSPENDED),
    ExecType.CALCULATED: _marked(OrdStatus.CALCULATED),
    ExecType.RESTATED: _restated,
    ExecType.TRIGGERED: lambda order, _: replace(order, triggered=True),
}
