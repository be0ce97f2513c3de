"""Router and simulator in every version: what either writes pleases a strict peer, and the other reads what was meant."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from fairlead_server.domain.execution import CancelReject, ExecutionReport, MassCancelReport, ReportKind
from fairlead_server.domain.mass_scope import MassScope
from fairlead_server.domain.order import Order, OrderState
from fairlead_server.domain.terms import OrderType, Side, TimeInForce
from fairlead_server.fix.message import Fields, Message, decode, encode
from fairlead_server.venue import incoming, outgoing
from fix_sim.engine import Decision, Engine, Ids
from fix_sim.rules import Action, Rule
from fix_sim.translate import Outgoing, read_request, write_report
from msgspec.structs import replace

from fix_sim import orders as sim
from tests.domain.builders import NOW, amending, canceling, figures, heard, new_order, sent_order, terms
from tests.fix.versions import SPOKEN, problem, spoken

CLIENT = "any"
FILLED, CANCELED, REJECTED = OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED
RESTING = {"terms": terms(price=49)}


@dataclass
class Wire:
    """A router's translation and a broker, and between them one version; both sides are strict."""

    version: str
    rules: tuple[Rule, ...] = ()
    told: list[incoming.Heard] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dialect = spoken(self.version)
        self.engine = Engine(Ids("7"), {"ACME": Decimal(50)}, self.rules)

    def new(self, **changes: Any) -> Order:
        order = sent_order(new_order(**changes))
        return self.after(order, self.ask("D", outgoing.new_order_single(order, self.dialect, NOW)))

    def cancel(self, order: Order) -> Order:
        order = canceling(order)
        fields = outgoing.order_cancel_request(order, order.pending[-1], self.dialect, NOW)
        return self.after(order, self.ask("F", fields))

    def replace(self, order: Order, **wanted: Any) -> Order:
        order = amending(order, terms(**wanted))
        fields = outgoing.order_cancel_replace_request(order, order.pending[-1], self.dialect, NOW)
        return self.after(order, self.ask("G", fields))

    def status(self, order: Order) -> Order:
        return self.after(order, self.ask("H", outgoing.order_status_request(order, self.dialect)))

    def ask(self, msg_type: str, fields: Fields) -> Decision:
        request = read_request(CLIENT, self.dialect, self._passed(msg_type, fields))
        assert not isinstance(request, Outgoing), request
        return self.engine.handle(request, NOW)

    def after(self, order: Order, decision: Decision) -> Order:
        """The router's order when it has heard all that the broker has decided."""
        for report in decision.reports:
            read = incoming.read(self._passed(*write_report(self.dialect, report)), "SIM", NOW)
            assert read is not None
            self.told.append(read)
            if isinstance(read, ExecutionReport):
                order = heard(order, [read])
        return order

    def kinds(self) -> list[ReportKind]:
        return [each.kind for each in self.told if isinstance(each, ExecutionReport)]

    def _passed(self, msg_type: str, fields: Fields) -> Message:
        assert problem(self.version, msg_type, fields) is None, (msg_type, fields)
        begin_string, _ = SPOKEN[self.version]
        return decode(encode(begin_string, msg_type, "ONE", "OTHER", 7, "20261120-15:00:00", fields))


@pytest.fixture(params=SPOKEN)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_order_is_filled_in_parts(version: str) -> None:
    wire = Wire(version, (Rule(Action.PARTIAL, slices=2),))
    order = wire.new(account_id="ACC1")
    assert figures(order) == (OrderState.PARTIALLY_FILLED, 50, 50)

    order = wire.after(order, wire.engine.tick(NOW + timedelta(seconds=1)))

    assert figures(order) == (FILLED, 100, 0)
    assert wire.kinds() == [ReportKind.NEW, ReportKind.TRADE, ReportKind.TRADE]


def test_an_order_is_replaced_and_cancelled(version: str) -> None:
    wire = Wire(version)
    order = wire.replace(wire.new(**RESTING), quantity=80, price="49.5")
    assert (order.cl_ord_id, figures(order)) == ("Y", (OrderState.WORKING, 0, 80))

    order = wire.cancel(order)

    assert figures(order) == (CANCELED, 0, 0)
    assert wire.kinds() == [ReportKind.NEW, ReportKind.REPLACED, ReportKind.CANCELED]


def test_a_part_that_is_filled_survives_a_replace(version: str) -> None:
    wire = Wire(version, (Rule(Action.MANUAL),))
    order = wire.new()
    order = wire.after(order, wire.engine.fill("7-O1", Decimal(40), None, NOW))
    order = wire.replace(order, quantity=60)
    assert figures(order) == (OrderState.PARTIALLY_FILLED, 40, 20)

    order = wire.after(order, wire.engine.fill("7-O1", None, None, NOW))

    assert figures(order) == (FILLED, 60, 0)


def test_what_cannot_be_filled_at_once_is_cancelled(version: str) -> None:
    wire = Wire(version, (Rule(Action.PARTIAL, slices=2),))

    assert figures(wire.new(terms=terms(time_in_force=TimeInForce.IOC))) == (CANCELED, 50, 0)


def test_an_order_that_asks_for_everything_is_understood_and_expires(version: str) -> None:
    wire = Wire(version)
    ends = NOW + timedelta(minutes=1)
    wanted = terms(
        price="51",
        stop_price=Decimal("50.5"),
        display_quantity=Decimal(10),
        time_in_force=TimeInForce.GTD,
        expire_time=ends,
    )
    order = wire.new(order_type=OrderType.STOP_LIMIT, terms=wanted, min_quantity=Decimal(10), post_only=True)

    order = wire.after(order, wire.engine.tick(ends))

    assert order.state is OrderState.EXPIRED


def test_a_stop_is_triggered_and_filled(version: str) -> None:
    wire = Wire(version)
    order = wire.new(order_type=OrderType.STOP, terms=terms(price=None, stop_price=Decimal(52)))

    order = wire.after(order, wire.engine.set_price("ACME", Decimal(53), NOW))

    assert figures(order) == (FILLED, 100, 0)
    triggered = ReportKind.TRIGGERED if version >= "FIX.5.0" else ReportKind.STATUS
    assert wire.kinds() == [ReportKind.NEW, triggered, ReportKind.TRADE]


def test_how_an_order_stands_can_be_asked(version: str) -> None:
    wire = Wire(version)
    order = wire.new(**RESTING)

    assert wire.status(order).state is OrderState.WORKING
    assert wire.status(wire.cancel(order)).state is CANCELED
    assert wire.kinds()[-1] is ReportKind.STATUS


def test_an_order_that_never_arrived_is_told_to_be_unknown(version: str) -> None:
    wire = Wire(version)
    wire.status(sent_order())

    (told,) = wire.told
    assert isinstance(told, ExecutionReport)
    assert (told.kind, told.ord_status, told.venue_order_id) == (ReportKind.STATUS, "8", "NONE")


def test_an_order_is_rejected_for_any_reason(version: str) -> None:
    for reason in range(100):
        wire = Wire(version, (Rule(Action.REJECT, reason=reason),))
        assert wire.new().state is REJECTED


def test_a_cancel_is_refused_for_any_reason(version: str) -> None:
    wire = Wire(version)
    filled = wire.new()
    refused = sim.OrderCancelReject(
        CLIENT,
        wire.engine.orders["7-O1"],
        "Z",
        "X",
        sim.CxlRejResponseTo.CANCEL,
        sim.CxlRejReason(0),
        NOW,
        "no",
    )

    wire.cancel(filled)
    for reason in sim.CxlRejReason:
        for order in (refused.order, None):
            wire.after(filled, Decision([replace(refused, order=order, reason=reason)]))

    refusals = [each for each in wire.told if isinstance(each, CancelReject)]
    assert [each.cl_ord_id for each in refusals] == ["Z"] * 13
    assert [(each.too_late, each.unknown_order) for each in refusals[:5]] == [
        (True, False),
        (True, False),
        (True, False),
        (False, True),
        (False, True),
    ]


@pytest.mark.parametrize("reason", [None, 0, 1, 99])
def test_a_mass_cancel_is_asked_for_and_answered(version: str, reason: int | None) -> None:
    if version < "FIX.4.3":
        return  # which have no such message
    wire = Wire(version)
    order = wire.new(**RESTING)
    fields = outgoing.order_mass_cancel_request(MassScope("ACME", Side.BUY), "Q", wire.dialect, NOW)
    decision = wire.ask("q", fields)
    report, gone = decision.reports
    assert isinstance(report, sim.MassCancelReport)

    order = wire.after(order, Decision([replace(report, reason=reason, text="why"), gone]))

    told = 0 if version == "FIX.4.3" and reason == 99 else reason  # which has no other
    refused = "" if reason is None else f"MassCancelRejectReason(532) {told}, "
    assert wire.told[-2] == MassCancelReport("Q", accepted=reason is None, text=f"{refused}why")
    assert figures(order) == (CANCELED, 0, 0)


@pytest.mark.parametrize("scope", [MassScope(), MassScope(side=Side.SELL), MassScope("ACME")])
def test_a_mass_cancel_says_what_it_is_for(version: str, scope: MassScope) -> None:
    if version < "FIX.4.3":
        return
    wire = Wire(version)
    wire.new(**RESTING)
    report = wire.ask("q", outgoing.order_mass_cancel_request(scope, "Q", wire.dialect, NOW)).reports[0]
    assert isinstance(report, sim.MassCancelReport)
    assert report.request.request_type == ("1" if scope.symbol else "7")
    assert (report.request.scope.symbol, report.total_affected) == (scope.symbol, 0 if scope.side else 1)


@pytest.mark.parametrize("orders", [0, 2])
def test_how_all_orders_stand_can_be_asked_at_once(version: str, orders: int) -> None:
    if version < "FIX.4.3":
        return
    wire = Wire(version)
    for number in range(orders):
        order = sent_order(new_order(**RESTING), cl_ord_id=f"X{number}")
        wire.ask("D", outgoing.new_order_single(order, wire.dialect, NOW))
    asked = wire.ask("AF", outgoing.order_mass_status_request("1-7"))

    written = [dict(write_report(wire.dialect, report).fields) for report in asked.reports]
    wire.after(sent_order(), asked)

    assert wire.kinds()[-len(written) :] == [ReportKind.STATUS] * len(written)
    if version == "FIX.4.3":
        assert {584, 911, 912}.isdisjoint(written[0])
    else:
        assert {said[584] for said in written} == {"1-7"}
        assert [said[911] for said in written] == [str(orders)] * max(orders, 1)
        assert [said[912] for said in written] == ["N", "Y"][-len(written) :]


@pytest.mark.parametrize("msg_type", ["D", "Q"])
def test_what_is_not_understood_is_refused_in_a_form_that_the_version_has(
    version: str, msg_type: str
) -> None:
    begin_string, _ = SPOKEN[version]
    wrong = decode(
        encode(begin_string, msg_type, "ONE", "OTHER", 7, "20261120-15:00:00", [(11, "A"), (58, "?")])
    )

    refusal = read_request(CLIENT, spoken(version), wrong)

    assert isinstance(refusal, Outgoing)
    if spoken(version).has_message("j"):  # else the session says it, in a Reject(3)
        assert problem(version, *refusal) is None
