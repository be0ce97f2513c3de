"""Disagreements, as the stream tells them."""

from __future__ import annotations

from decimal import Decimal

from fairlead_server.domain.alerts import alert
from fairlead_server.domain.event import Alarm, EventKind

from tests.domain.builders import LATER, after, status, trade, working_order

ORDER = after(working_order(), trade("1", 40))


def test_a_break_has_the_values_of_both_and_changes_nothing_but_the_version() -> None:
    told = alert(ORDER, Alarm.RECON_BREAK, status("1", 60, leaves_qty=Decimal("40.5")), LATER)

    assert told is not None
    assert (told.kind, told.order) == (EventKind.RECON_BREAK, ORDER.next(LATER))
    assert told.text == (
        "the venue says OrdStatus(39) 1, CumQty(14) 60, LeavesQty(151) 40.5; here it is PARTIALLY_FILLED, 40, 60"
    )


def test_a_conflict_tells_what_was_not_taken() -> None:
    told = alert(ORDER, Alarm.EXEC_CONFLICT, trade("1", 50, last_px=None), LATER)

    assert told is not None
    assert told.kind is EventKind.EXEC_CONFLICT
    assert told.text == "ExecID(17) 1 was told again as 50 at nothing; the first is kept"


def test_an_alarm_without_a_report_has_nothing_to_compare_and_others_are_no_events() -> None:
    bare = alert(ORDER, Alarm.RECON_BREAK, None, LATER)

    assert bare is not None
    assert bare.text == ""
    assert alert(ORDER, Alarm.LATE_FILL, trade("2", 50), LATER) is None
