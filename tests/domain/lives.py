"""Random lives of an order, for properties: what a client asks, what a venue says, in any order and repeated."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fairlead_server.domain.execution import ExecutionReport, ReportKind
from fairlead_server.domain.order import Order
from fairlead_server.domain.terms import Side, TimeInForce
from hypothesis import settings
from hypothesis import strategies as st

from tests.domain.builders import (
    amending,
    bust,
    canceling,
    correction,
    new_order,
    report,
    sent_order,
    status,
    terms,
    trade,
)

untimed = settings(deadline=None)  # how long a life takes says nothing on a machine that is shared

# Few identifiers and few amounts, so that lives cross themselves often.
EXEC_IDS = st.sampled_from(["1", "2", "3", "4"])
AMOUNTS = st.sampled_from([Decimal(10), Decimal(40), Decimal("60.5"), Decimal(100)])
CL_ORD_IDS = st.sampled_from(["", "X", "Y1", "Y2", "Z1", "Z2", "stranger"])
ORD_STATUSES = st.sampled_from(list("0123456789ABCDE"))
MAYBE_AMOUNTS = st.none() | AMOUNTS

trades = st.builds(trade, EXEC_IDS, AMOUNTS)
busts = st.builds(bust, EXEC_IDS, EXEC_IDS)
corrections = st.builds(correction, EXEC_IDS, EXEC_IDS, AMOUNTS)
ends = st.builds(
    report,
    st.sampled_from([ReportKind.CANCELED, ReportKind.EXPIRED, ReportKind.REJECTED, ReportKind.DONE_FOR_DAY]),
    cl_ord_id=CL_ORD_IDS,
)
answers = st.builds(
    report,
    st.sampled_from([ReportKind.NEW, ReportKind.REPLACED, ReportKind.RESTATED]),
    cl_ord_id=CL_ORD_IDS,
    ord_status=st.sampled_from(["0", "1", "2"]),
    order_qty=MAYBE_AMOUNTS,
)
statuses = st.builds(status, ORD_STATUSES, MAYBE_AMOUNTS | st.just(Decimal(0)))
others = st.builds(
    report,
    st.sampled_from(list(ReportKind)),
    exec_id=EXEC_IDS,
    exec_ref_id=EXEC_IDS,
    cl_ord_id=CL_ORD_IDS,
    ord_status=ORD_STATUSES,
    order_qty=MAYBE_AMOUNTS,
    last_qty=MAYBE_AMOUNTS,
    last_px=MAYBE_AMOUNTS,
    cum_qty=MAYBE_AMOUNTS,
)
reports: st.SearchStrategy[ExecutionReport] = (
    trades | busts | corrections | ends | answers | statuses | others
)

amends = st.tuples(st.just("amend"), st.sampled_from(["Y1", "Y2"]), AMOUNTS)
cancels = st.tuples(st.just("cancel"), st.sampled_from(["Z1", "Z2"]))
refusals = st.tuples(st.just("refusal"), CL_ORD_IDS, st.booleans())
doubts = st.just(("doubt",))
steps: st.SearchStrategy[Any] = reports | amends | cancels | refusals | doubts
lives = st.lists(steps, max_size=12)


@st.composite
def orders(draw: st.DrawFn, order_id: str = "O1") -> Order:
    side = draw(st.sampled_from(list(Side)))
    tif = draw(st.sampled_from([TimeInForce.DAY, TimeInForce.GTC]))
    account_id = draw(st.sampled_from(["ACC1", "ACC2"]))
    new = new_order(account_id=account_id, side=side, terms=terms(draw(AMOUNTS), time_in_force=tif))
    return sent_order(new, order_id)


def asked(order: Order, step: tuple[Any, ...]) -> Order:
    """What the client's own steps do, as far as the order allows them."""
    match step:
        case ("amend", cl_ord_id, quantity) if (
            order.live and not order.pending and cl_ord_id not in order.cl_ord_ids
        ):
            return amending(order, terms(quantity), cl_ord_id)
        case ("cancel", cl_ord_id) if order.live and cl_ord_id not in order.cl_ord_ids:
            return canceling(order, cl_ord_id)
        case ("doubt",) if order.live:
            return order.in_doubt(order.update_time)
        case _:
            return order
