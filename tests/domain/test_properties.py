"""What holds of an order whatever its venue says, in whatever order and however often."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

from fairlead_server.domain.event import Alarm, Change, EventKind
from fairlead_server.domain.execution import ExecutionReport, ReportKind
from fairlead_server.domain.order import ZERO, Flag, Order, OrderState, Terminal
from fairlead_server.domain.transitions import apply, refuse_request
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.domain.builders import (
    LATER,
    after,
    bust,
    cancel_reject,
    correction,
    figures,
    report,
    sent_order,
    trade,
    working_order,
)
from tests.domain.lives import AMOUNTS, asked, lives, orders, reports, untimed

ENDED = (Terminal.CANCELED, Terminal.EXPIRED, Terminal.REJECTED)


def told(order: Order, step: Any) -> Change | None:
    """What the venue's step changes; None for the client's steps and for what tells nothing."""
    if isinstance(step, ExecutionReport):
        return apply(order, step, f"ours-{step.exec_id}", LATER)
    if step[0] != "refusal":
        return None
    request = order.find_request(step[1])
    answer = cancel_reject(step[1], unknown_order=step[2])
    return refuse_request(order, request, answer, LATER) if request else None


def lived(order: Order, life: list[Any]) -> list[Order]:
    """The order as it was and after each step."""
    history = [order]
    for step in life:
        change = told(order, step)
        order = asked(order, step) if change is None and isinstance(step, tuple) else order
        order = order if change is None else change.order
        history.append(order)
    return history


@untimed
@given(orders(), lives)
def test_what_has_traded_is_the_sum_of_the_executions_that_stand(order: Order, life: list[Any]) -> None:
    for each in lived(order, life):
        standing = [e for e in each.executions if e.stands]

        assert each.cum_qty == sum((e.quantity for e in standing), ZERO)
        assert each.traded_value == sum((e.quantity * e.price for e in standing), ZERO)
        assert len({e.exec_id for e in each.executions}) == len(each.executions)


@untimed
@given(orders(), lives)
def test_leaves_and_traded_make_up_the_quantity_while_it_is_live(order: Order, life: list[Any]) -> None:
    for each in lived(order, life):
        if each.live and not each.filled:
            assert each.leaves_qty + each.cum_qty == each.terms.quantity
        else:
            assert each.leaves_qty == 0
        assert (Flag.OVERFILLED in each.flags) is (each.cum_qty > each.terms.quantity)


@untimed
@given(orders(), lives)
def test_what_has_traded_falls_only_by_a_bust_or_a_correction(order: Order, life: list[Any]) -> None:
    for step, (before, now) in zip(life, pairwise(lived(order, life)), strict=True):
        if now.cum_qty < before.cum_qty:
            assert step.kind in (ReportKind.TRADE_CANCEL, ReportKind.TRADE_CORRECT)


@untimed
@given(orders(), lives)
def test_the_end_is_dated_exactly_while_it_lasts(order: Order, life: list[Any]) -> None:
    for each in lived(order, life):
        assert (each.terminal_time is None) is each.live


@untimed
@given(orders(), lives, reports)
def test_the_version_counts_up_by_one_for_each_event_and_stays_without_one(
    order: Order, life: list[Any], last: ExecutionReport
) -> None:
    order = lived(order, life)[-1]

    change = told(order, last)

    if change is not None and change.kind is not None:
        assert change.order.version == order.version + 1
    elif change is not None:
        assert change.order == order
        assert change.alarms


@untimed
@given(orders(), lives, reports.filter(lambda heard: heard.kind is not ReportKind.UNMAPPED))
def test_the_same_report_again_changes_nothing(order: Order, life: list[Any], last: ExecutionReport) -> None:
    """But for an ExecType that we do not know, and so cannot know to be the same."""
    once = lived(order, [*life, last])[-1]

    again = told(once, last)

    assert again is None or (again.kind is None and again.order == once)


@untimed
@given(orders(), lives)
def test_an_end_that_the_venue_told_is_never_undone(order: Order, life: list[Any]) -> None:
    for before, now in pairwise(lived(order, life)):
        by_the_venue = before.reject is None or before.reject.source.value == "VENUE"
        if before.terminal in ENDED and by_the_venue:
            rejected_but_traded = before.terminal is Terminal.REJECTED and now.cum_qty > 0
            assert now.terminal is (Terminal.CANCELED if rejected_but_traded else before.terminal)


@untimed
@given(orders(), lives, reports)
def test_what_crosses_an_end_is_shown_to_a_person_when_it_adds_to_the_position(
    order: Order, life: list[Any], last: ExecutionReport
) -> None:
    order = lived(order, life)[-1]

    change = told(order, last)

    if change is not None and change.kind is EventKind.FILLED and order.terminal in ENDED:
        assert Alarm.LATE_FILL in change.alarms


@untimed
@given(orders(), lives)
def test_no_request_is_left_unanswered_by_an_order_that_the_venue_has_ended(
    order: Order, life: list[Any]
) -> None:
    """A multi-day order that is done for the day goes on, and may be asked for more meanwhile."""
    for each in lived(order, life):
        if each.terminal is not None and not each.live:
            assert each.pending == ()


@st.composite
def shuffled_stories(draw: st.DrawFn) -> tuple[list[ExecutionReport], list[ExecutionReport]]:
    """An acknowledgement, fills and perhaps an end, as they happened; and as they came, with repeats."""
    quantities = draw(st.lists(AMOUNTS, max_size=4))
    story = [report(ReportKind.NEW), *(trade(f"f{i}", quantity) for i, quantity in enumerate(quantities))]
    ends = [ReportKind.CANCELED, ReportKind.EXPIRED, ReportKind.REJECTED]
    end = draw(st.none() | st.sampled_from(ends))
    story += [report(end)] if end else []
    repeats = draw(st.lists(st.sampled_from(story), max_size=4))
    return story, draw(st.permutations([*story, *repeats]))


@untimed
@given(shuffled_stories())
def test_the_order_and_number_of_reports_do_not_matter(
    stories: tuple[list[ExecutionReport], list[ExecutionReport]],
) -> None:
    as_it_happened, as_it_came = (after(sent_order(), *story) for story in stories)

    assert figures(as_it_came) == figures(as_it_happened)
    assert as_it_came.avg_px == as_it_happened.avg_px
    assert set(as_it_came.executions) == set(as_it_happened.executions)
    assert as_it_came.flags == as_it_happened.flags


@st.composite
def interleaved_trades(draw: st.DrawFn) -> tuple[list[ExecutionReport], list[ExecutionReport]]:
    """Fills, each with what is corrected and taken back of it: one fill after the other, and as they may come.

    A report comes after the one that it refers to, as it does on a session; else all may come between each other, and again.
    """
    chains = [_chain(draw, f"f{number}") for number in range(draw(st.integers(1, 4)))]
    turns = draw(st.permutations([number for number, chain in enumerate(chains) for _ in chain]))
    rests = [iter(chain) for chain in chains]
    came = [next(rests[number]) for number in turns]
    return [each for chain in chains for each in chain], [*came, *draw(st.permutations(came))]


@untimed
@given(orders(), interleaved_trades(), st.randoms(use_true_random=False))
def test_nor_does_it_matter_if_what_becomes_of_a_fill_is_told_before_the_fill(
    order: Order, stories: tuple[list[ExecutionReport], list[ExecutionReport]], chance: Random
) -> None:
    one_by_one = after(order, *stories[0])
    chance.shuffle(stories[0])
    shuffled = after(order, *stories[0])

    assert figures(shuffled) == figures(one_by_one)
    assert shuffled.avg_px == one_by_one.avg_px
    assert {e.exec_id for e in shuffled.executions if e.stands} == {
        e.exec_id for e in one_by_one.executions if e.stands
    }


def _chain(draw: st.DrawFn, exec_id: str) -> list[ExecutionReport]:
    chain = [trade(exec_id, draw(AMOUNTS))]
    for number in range(draw(st.integers(0, 2))):
        chain.append(correction(f"{exec_id}c{number}", chain[-1].exec_id, draw(AMOUNTS), 51))
    return [*chain, bust(f"{exec_id}b", chain[-1].exec_id)] if draw(st.booleans()) else chain


@untimed
@given(orders(), interleaved_trades())
def test_fills_corrections_and_busts_come_to_the_same_in_any_order(
    order: Order, stories: tuple[list[ExecutionReport], list[ExecutionReport]]
) -> None:
    one_by_one, as_they_came = (after(order, *story) for story in stories)

    assert figures(as_they_came) == figures(one_by_one)
    assert as_they_came.avg_px == one_by_one.avg_px
    assert set(as_they_came.executions) == set(one_by_one.executions)
    assert as_they_came.flags == one_by_one.flags
    assert as_they_came.version == one_by_one.version


@untimed
@given(orders(), lives)
def test_the_state_is_a_function_of_the_facts(order: Order, life: list[Any]) -> None:
    """Two orders with the same facts stand alike, whatever they were called and whenever they changed."""
    for each in lived(order, life):
        bare = replace(
            working_order(each.request),
            terms=each.terms,
            acked=each.acked,
            cum_qty=each.cum_qty,
            terminal=each.terminal,
            flags=each.flags,
        )
        assert each.state is bare.state
        assert isinstance(each.state, OrderState)
