"""The bytes of orders and events say what messages made field by field say, whatever was told before them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fairlead.v1.common_pb2 import Order as OrderMessage
from fairlead.v1.execution_service_pb2 import ExecutionEvent
from fairlead_server.api.images import event_bytes, order_bytes
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.event import Alarm, EventKind, OrderEvent
from fairlead_server.domain.execution import ExecutionReport
from fairlead_server.domain.order import Flag, Order
from fairlead_server.domain.reject import Breach, Reject, RejectReason, VenueReject
from fairlead_server.domain.terms import ManualIndicator, NewOrder, OrderCapacity, OrderType, TimeInForce
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.api import plain
from tests.domain.builders import LATER, NOW, message, new_order, sent_order, terms
from tests.domain.lives import lives, orders, untimed
from tests.domain.test_properties import told

_TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(["x" * 127, "\u00fc" * 64, "y" * 20_000]))
_TIMES = st.timedeltas(timedelta(), timedelta(days=30_000)).map(lambda since: NOW + since)
_ONE_BREACH = (Breach("lot_size", RejectReason.RISK_LOT_SIZE, "not a lot", "10", "3"),)
_REJECTS = st.sampled_from(
    [
        None,
        Reject.by_risk(_ONE_BREACH),
        replace(Reject.by_risk(_ONE_BREACH), venue=VenueReject("8", "no", ord_rej_reason=0)),
    ]
)
_CAUSES = st.builds(Cause, st.sampled_from(list(Initiator)), _TEXTS, _TEXTS, _TEXTS, _TEXTS)
_FLAGS = st.frozensets(st.sampled_from(list(Flag)))
_NEW: st.SearchStrategy[NewOrder] = st.builds(
    new_order,
    order_type=st.sampled_from(list(OrderType)),
    terms=st.builds(
        terms,
        st.sampled_from(["100", "0.10", "1E+3"]),
        st.sampled_from([None, "50.10"]),
        stop_price=st.sampled_from([None, terms("7").quantity]),
        display_quantity=st.sampled_from([None, terms("5").quantity]),
        time_in_force=st.sampled_from(list(TimeInForce)),
        expire_time=st.none() | _TIMES,
    ),
    min_quantity=st.sampled_from([None, terms("2").quantity]),
    post_only=st.booleans(),
    strategy_id=_TEXTS,
    route_before=st.none() | _TIMES,
    capacity=st.sampled_from([None, *OrderCapacity]),
    manual_indicator=st.sampled_from([None, *ManualIndicator]),
    tags=st.dictionaries(_TEXTS, _TEXTS, max_size=3).map(lambda tags: tuple(sorted(tags.items()))),
    note=_TEXTS,
)


def _same(event: OrderEvent) -> None:
    assert ExecutionEvent.FromString(event_bytes(event)) == plain.event(event)


@untimed
@given(_NEW, _FLAGS, _REJECTS, _CAUSES, st.integers(0, 2**62), st.none() | _TIMES)
def test_every_field_of_an_order_is_said(
    new: NewOrder, flags: frozenset[Flag], reject: Reject | None, cause: Cause, sequence: int, time: Any
) -> None:
    order = replace(
        sent_order(new), flags=flags, reject=reject, last_cause=cause, sequence=sequence, venue_ack_time=time
    )

    assert OrderMessage.FromString(order_bytes(order)) == plain.order(order)


@untimed
@given(
    st.sampled_from(list(EventKind)),
    _CAUSES,
    _REJECTS,
    _TEXTS,
    st.booleans(),
    st.lists(st.sampled_from(list(Alarm)), max_size=2).map(tuple),
    st.booleans(),
    st.none() | _TIMES,
)
def test_every_field_of_an_event_is_said(
    kind: EventKind,
    cause: Cause,
    reject: Reject | None,
    text: str,
    unsolicited: bool,
    alarms: tuple[Alarm, ...],
    again: bool,
    time: Any,
) -> None:
    heard = message(sending_time=time, poss_dup=again, poss_resend=again)
    _same(
        OrderEvent(
            7,
            "EVENT",
            kind,
            sent_order(),
            NOW,
            cause,
            reject=reject,
            text=text,
            unsolicited=unsolicited,
            alarms=alarms,
            transact_time=time,
            exec_id=text,
            message=heard if kind is not EventKind.ACCEPTED else None,
        )
    )


@untimed
@given(orders(), lives)
def test_a_life_is_told_step_by_step_as_it_is(order: Order, life: list[Any]) -> None:
    _same(OrderEvent(1, "E0", EventKind.ROUTED, order, NOW, Cause(Initiator.SYSTEM)))
    for number, step in enumerate(life, 2):
        change = told(order, step)
        if change is None:
            continue
        order = replace(change.order, sequence=number, last_cause=Cause(Initiator.VENUE))
        report = step if isinstance(step, ExecutionReport) else None
        kind = change.kind or EventKind.RECON_BREAK
        _same(
            OrderEvent(
                number,
                f"E{number}",
                kind,
                order,
                LATER,
                Cause(Initiator.VENUE),
                change.execution,
                change.ref_exec_id,
                change.reject,
                change.text,
                change.unsolicited,
                change.alarms,
                LATER,
                report.exec_id if report else "",
                message=message(),
            )
        )


def test_an_order_told_again_is_told_as_it_is_by_now() -> None:
    order = sent_order()
    told_before = order_bytes(order)
    amended = order.amended(terms(60, 49), LATER)

    assert order_bytes(order) is told_before
    assert OrderMessage.FromString(order_bytes(amended)) == plain.order(amended)
