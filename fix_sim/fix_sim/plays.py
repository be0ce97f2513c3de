"""Plays scenarios: each matching order goes through its steps, by the time and by what its client asks. Pure.

A request is in hand from the step that awaits it until a report or a reject answers it; until it is awaited it waits.
Cancels and replaces have to come in the order in which they are awaited, status requests may come in between.
OrigClOrdID(41) of an answer is the ClOrdID(11) that was accepted last, as in the matrices (FIX 4.4 vol. 4).
When its steps are over, an order is the engine's again, and trades when an operator says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol, assert_never

from msgspec import Struct
from msgspec.structs import replace

from fix_sim.changes import changed, returned, unasked
from fix_sim.edits import Edits
from fix_sim.errors import NotPlayable
from fix_sim.orders import (
    CancelOrder,
    CxlRejReason,
    CxlRejResponseTo,
    ExecType,
    ExecutionReport,
    Fill,
    MassCancel,
    MassCancelReport,
    NewOrder,
    Order,
    OrderCancelReject,
    OrderRequest,
    OrdStatus,
    ReplaceOrder,
    Report,
    StatusRequest,
)
from fix_sim.scenario import (
    Asked,
    Await,
    Break,
    Of,
    Orig,
    Outcome,
    Refuse,
    RejectMessage,
    Repeat,
    Scenario,
    Silence,
    Step,
    Tell,
    TellMassCancel,
    Wait,
)

EXEC_RESTATEMENT_REASON = 378
_CL_ORD_ID, _ORIG_CL_ORD_ID = 11, 41


class MessageRefused(Struct, frozen=True):
    """BusinessMessageReject(j) or Reject(3) of a client's message."""

    request: OrderRequest
    step: RejectMessage

    @property
    def client(self) -> str:
        return self.request.client


class SessionBroken(Struct, frozen=True):
    """Something befalls the client's session, in its turn among the reports."""

    client: str
    step: Break


Said = Report | MessageRefused | SessionBroken


class Floor(Protocol):
    """Where orders and numbers are kept; the engine."""

    def order(self, order_id: str) -> Order: ...

    def emit(self, report: ExecutionReport) -> ExecutionReport:
        """Number the report, keep the order that it brings, and send it."""

    def say(self, said: Said) -> None:
        """Send it as it is."""

    def price_of(self, order: Order) -> Decimal: ...


@dataclass(slots=True)
class _InHand:
    """A cancel or replace that has been awaited and not been answered."""

    request: CancelOrder | ReplaceOrder | MassCancel
    pending: bool = False  # Pending Cancel or Pending Replace has been told


@dataclass(slots=True)
class Play:
    """One order on its way through one scenario."""

    scenario: Scenario
    order_id: str
    began_at: datetime
    outcome: Outcome = Outcome.PLAYING
    failure: str = ""
    position: int = 0
    silent: bool = False
    wake_at: datetime | None = None
    _waiting: bool = False  # at the step of its position
    _mail: list[OrderRequest] = field(default_factory=list)
    _hand: list[_InHand] = field(default_factory=list)
    _heard: OrderRequest | None = None
    _told: ExecutionReport | None = None
    _mass_cancel: MassCancel | None = None  # that was awaited last

    @property
    def over(self) -> bool:
        return self.outcome is not Outcome.PLAYING

    @property
    def awaits_mass_cancel(self) -> bool:
        """Now or later."""
        ahead = self.scenario.steps[self.position :]
        return any(isinstance(step, Await) and step.asked is Asked.MASS_CANCEL for step in ahead)

    def hear(self, request: OrderRequest) -> None:
        self._heard = request
        self._mail.append(request)

    def holds(self, client: str, cl_ord_id: str) -> bool:
        """Whether a request that nobody has answered goes by this ClOrdID(11)."""
        asked_for = [*self._mail, *(held.request for held in self._hand)]
        return any((each.client, each.cl_ord_id) == (client, cl_ord_id) for each in asked_for)

    def left_over(self) -> Sequence[OrderRequest]:
        """When it is over: what was asked and never awaited, for somebody else to answer."""
        left = () if self.silent else tuple(each for each in self._mail if not isinstance(each, _NOT_LEFT))
        self._mail.clear()
        return left

    def go_on(self, floor: Floor, now: datetime) -> None:
        """As far as the steps allow."""
        while not self.over and self._step(floor, now):
            self.position += 1
            self._waiting, self.wake_at = False, None
        if not self.over and self.position == len(self.scenario.steps):
            self.outcome = Outcome.PASSED

    def perform(self, steps: Sequence[Step], floor: Floor, now: datetime) -> None:
        """Steps that an operator puts in between; none that waits."""
        for step in steps:
            self._act(step, floor, now)

    def _step(self, floor: Floor, now: datetime) -> bool:
        """Whether the step is over."""
        if self.position == len(self.scenario.steps):
            return False
        step = self.scenario.steps[self.position]
        if isinstance(step, Wait):
            return self._wait(step, now)
        if isinstance(step, Await):
            return self._await(step, floor, now)
        try:
            self._act(step, floor, now)
        except NotPlayable as error:
            self._fail(str(error))
            return False
        return True

    def _wait(self, step: Wait, now: datetime) -> bool:
        if not self._waiting:
            self._waiting, self.wake_at = True, now + step.time
        return self.wake_at is not None and self.wake_at <= now

    def _await(self, step: Await, floor: Floor, now: datetime) -> bool:
        ahead = [each for each in self._mail if asked(each) in (step.asked, Asked.CANCEL, Asked.REPLACE)]
        if not ahead:
            if not self._waiting and step.within is not None:
                self.wake_at = now + step.within
            self._waiting = True
            if self.wake_at is not None and self.wake_at <= now:
                self._fail(f"no {step.asked.value} came in time")
            return False
        request = ahead[0]
        self._mail.remove(request)
        in_hand = [held.request for held in self._hand if not isinstance(held.request, MassCancel)]
        wrong = _wrong(step, request, floor.order(self.order_id), in_hand)
        if wrong:
            self._fail(wrong)
            return False
        if isinstance(request, CancelOrder | ReplaceOrder | MassCancel):
            self._hand.append(_InHand(request))
        if isinstance(request, MassCancel):
            self._mass_cancel = request
        return True

    def _fail(self, why: str) -> None:
        self.outcome = Outcome.FAILED
        self.failure = f"step {self.position + 1}: {why}"

    # What the steps do.

    def _act(self, step: Step, floor: Floor, now: datetime) -> None:
        match step:
            case Tell():
                self._tell(step, floor, now)
            case Refuse():
                self._refuse(step, floor, now)
            case TellMassCancel():
                self._tell_mass_cancel(step, floor, now)
            case Repeat():
                if self._told is None:
                    raise NotPlayable("repeat", "nothing has been reported yet")
                floor.say(replace(self._told, edits=step.edits, repeated=True))
            case RejectMessage():
                if self._heard is None:
                    raise NotPlayable("reject", "no message of the client is at hand")
                floor.say(MessageRefused(self._heard, step))
            case Silence():
                self.silent = True
            case Break():
                floor.say(SessionBroken(floor.order(self.order_id).client, step))
            case Wait() | Await():
                raise NotPlayable("wait", "an operator's steps are taken at once")
            case _:
                assert_never(step)

    def _tell(self, step: Tell, floor: Floor, now: datetime) -> None:
        order = floor.order(self.order_id)
        if step.exec_type is ExecType.TRADE:
            report = _trade(step, order, floor, now)
        elif step.exec_type in (ExecType.TRADE_CORRECT, ExecType.TRADE_CANCEL):
            report = _amended_trade(step, order, now)
        elif step.exec_type in _ANSWERS:
            report = self._answer(step, order, now)
        else:
            report = ExecutionReport(changed(step, order), step.exec_type, now)
        self._told = floor.emit(_dressed(report, step))

    def _answer(self, step: Tell, order: Order, now: datetime) -> ExecutionReport:
        """To the request in hand; a Canceled or Replaced may also come unasked."""
        held = self._held(step)
        if held is None:
            return ExecutionReport(unasked(step, order), step.exec_type, now)
        if isinstance(held.request, MassCancel):
            return self._answer_mass_cancel(held, step, order, now)
        request, orig = held.request, order.cl_ord_id
        if step.exec_type in (ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE):
            held.pending = True
            marked = replace(order, marks=self._marks(order))
            edits = Edits(((_CL_ORD_ID, request.cl_ord_id),))
            return ExecutionReport(marked, step.exec_type, now, orig_cl_ord_id=orig, edits=edits)
        self._hand.remove(held)
        if isinstance(request, CancelOrder):
            after = replace(order, done=OrdStatus.CANCELED, marks=frozenset())
        else:
            terms = replace(request.terms, order_qty=max(request.terms.order_qty, order.cum_qty))
            after = replace(order, terms=terms, marks=self._marks(order))
        after = replace(after, cl_ord_ids=(*order.cl_ord_ids, request.cl_ord_id))
        return ExecutionReport(after, step.exec_type, now, orig_cl_ord_id=orig)

    def _answer_mass_cancel(self, held: _InHand, step: Tell, order: Order, now: datetime) -> ExecutionReport:
        """Under the order's own ClOrdID(11): the request was about others, too."""
        if step.exec_type is ExecType.PENDING_CANCEL:
            held.pending = True
            return ExecutionReport(replace(order, marks=self._marks(order)), step.exec_type, now)
        self._hand.remove(held)
        return ExecutionReport(unasked(step, order), step.exec_type, now)

    def _tell_mass_cancel(self, step: TellMassCancel, floor: Floor, now: datetime) -> None:
        request = self._mass_cancel
        if request is None:
            raise NotPlayable("mass_cancel_report", "no mass cancel has come")
        if step.reason is not None:
            self._hand = [held for held in self._hand if held.request is not request]
        affected = 1 if step.reason is None else 0
        floor.say(MassCancelReport(request, now, affected, step.reason, step.text, step.edits))

    def _held(self, step: Tell | Refuse) -> _InHand | None:
        found = [held for held in self._hand if _asks(step, held.request)]
        if isinstance(step, Tell) and step.exec_type in (ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE):
            found = [held for held in found if not held.pending]
            if not found:
                raise NotPlayable(step.exec_type.name.lower(), "there is no request that it could answer")
        return (found[0] if step.of is Of.FIRST else found[-1]) if found else None

    def _refuse(self, step: Refuse, floor: Floor, now: datetime) -> None:
        held = self._held(step)
        if held is None:
            raise NotPlayable("cancel_reject", "there is no request that it could answer")
        self._hand.remove(held)
        order = floor.order(self.order_id)
        order = replace(order, marks=self._marks(order))
        reason = CxlRejReason(step.reason)
        floor.say(
            OrderCancelReject(
                client=order.client,
                order=None if reason is CxlRejReason.UNKNOWN_ORDER else order,
                cl_ord_id=held.request.cl_ord_id,
                orig_cl_ord_id=order.cl_ord_id,
                response_to=CxlRejResponseTo.of(held.request),
                reason=reason,
                transact_time=now,
                text=step.text or reason.name.lower().replace("_", " "),
                edits=step.edits,
            )
        )

    def _marks(self, order: Order) -> frozenset[OrdStatus]:
        """The order's, with what is pending now."""
        pending = {
            OrdStatus.PENDING_REPLACE if isinstance(held.request, ReplaceOrder) else OrdStatus.PENDING_CANCEL
            for held in self._hand
            if held.pending
        }
        return (order.marks - {OrdStatus.PENDING_CANCEL, OrdStatus.PENDING_REPLACE}) | pending


# What a report does to an order.


def _trade(step: Tell, order: Order, floor: Floor, now: datetime) -> ExecutionReport:
    qty = order.leaves_qty if step.qty is None else step.qty
    price = step.price or order.terms.price or floor.price_of(order)
    if not qty:
        raise NotPlayable("trade", "nothing is left to fill; say how much")
    traded = replace(order, cum_qty=order.cum_qty + qty, cum_value=order.cum_value + qty * price)
    traded = replace(traded, marks=traded.marks - {OrdStatus.PENDING_NEW}, done=returned(order))
    return ExecutionReport(traded, step.exec_type, now, last_qty=qty, last_px=price)


def _amended_trade(step: Tell, order: Order, now: datetime) -> ExecutionReport:
    """The first fill is 1; those that were taken back do not count."""
    word = step.exec_type.name.lower()
    if not order.fills or step.fill > len(order.fills):
        raise NotPlayable(word, f"the order has {len(order.fills)} fills")
    old = order.fills[step.fill - 1]
    if step.exec_type is ExecType.TRADE_CANCEL:
        after = order.with_fills(tuple(fill for fill in order.fills if fill is not old))
        return ExecutionReport(after, step.exec_type, now, exec_ref_id=old.exec_id)
    new = Fill("", old.qty if step.qty is None else step.qty, step.price or old.price)
    after = order.with_fills(tuple(new if fill is old else fill for fill in order.fills))
    return ExecutionReport(
        after, step.exec_type, now, last_qty=new.qty, last_px=new.price, exec_ref_id=old.exec_id
    )


_ANSWERS = (ExecType.CANCELED, ExecType.REPLACED, ExecType.PENDING_CANCEL, ExecType.PENDING_REPLACE)


def _dressed(report: ExecutionReport, step: Tell) -> ExecutionReport:
    """With what the step says of itself."""
    own = step.edits.replaced
    if step.reason is not None and step.exec_type is not ExecType.REJECTED:
        own = ((EXEC_RESTATEMENT_REASON, str(step.reason)), *own)
    edits = replace(step.edits, replaced=(*report.edits.replaced, *own))
    rejected = step.exec_type is ExecType.REJECTED
    return replace(
        report, text=step.text, edits=edits, ord_rej_reason=(step.reason or 0) if rejected else None
    )


# What is asked.


def asked(request: OrderRequest) -> Asked:
    match request:
        case NewOrder():
            return Asked.NEW
        case CancelOrder():
            return Asked.CANCEL
        case ReplaceOrder():
            return Asked.REPLACE
        case StatusRequest():
            return Asked.STATUS
        case MassCancel():
            return Asked.MASS_CANCEL
        case _:
            assert_never(request)


_NOT_LEFT = (NewOrder, MassCancel)  # a mass cancel is of other orders, too, and has been taken for them


def _asks(step: Tell | Refuse, request: CancelOrder | ReplaceOrder | MassCancel) -> bool:
    if isinstance(step, Refuse):
        return True
    cancels = step.exec_type in (ExecType.CANCELED, ExecType.PENDING_CANCEL)
    return isinstance(request, CancelOrder | MassCancel) is cancels


def _wrong(
    step: Await, request: OrderRequest, order: Order, in_hand: Sequence[CancelOrder | ReplaceOrder]
) -> str:
    """What is not as the step has it; empty if nothing."""
    if asked(request) is not step.asked:
        return f"a {asked(request).value} came instead of a {step.asked.value}"
    terms = request.terms if isinstance(request, NewOrder | ReplaceOrder) else None
    if step.qty is not None and (terms is None or terms.order_qty != step.qty):
        return f"OrderQty(38) is {terms and terms.order_qty}, not {step.qty}"
    if step.price is not None and (terms is None or terms.price != step.price):
        return f"Price(44) is {terms and terms.price}, not {step.price}"
    if step.orig is not None and isinstance(request, CancelOrder | ReplaceOrder):
        names = [order.cl_ord_id, *(each.cl_ord_id for each in in_hand)]
        right = names[0] if step.orig is Orig.ACCEPTED else names[-1]
        if request.orig_cl_ord_id != right:
            return f"OrigClOrdID(41) is {request.orig_cl_ord_id}, not {right}"
    return ""
