"""RiskService over a connection: limits changed while the router runs, and what they would say."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fairlead.v1 import common_pb2, reference_service_pb2
from fairlead.v1 import risk_service_pb2 as pb
from fairlead.v1.risk_service_pb2_grpc import RiskServiceStub
from fairlead_server.domain.risk.table import CONTROLS

from tests.api import broker as venue
from tests.api.refusals import refused
from tests.api.router import Router, new_order, running


def desk(router: Router) -> Any:
    return RiskServiceStub(router.channel)


def tight(limit_id: str = "tight", account_id: str = "ACC1", **limits: str) -> pb.LimitSet:
    scope = pb.RiskScope(account_id=account_id)
    return pb.LimitSet(limit_id=limit_id, scope=scope, limits=limits or {"max_order_quantity": "50"})


async def put(router: Router, limit_set: pb.LimitSet, **changes: Any) -> pb.LimitSet:
    request = pb.UpdateLimitsRequest(limit_set=limit_set, reason="as agreed", **changes)
    response: pb.UpdateLimitsResponse = await desk(router).UpdateLimits(request)
    return response.limit_set


async def submitted(router: Router, **changes: Any) -> common_pb2.Order:
    return (await router.orders.SubmitOrder(new_order(**changes))).order


async def told(watch: Any, count: int) -> list[pb.RiskEvent]:
    """So many events, from whatever messages."""
    found: list[pb.RiskEvent] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found.extend((await watch.read()).events)
    watch.cancel()
    return found


async def names(router: Router) -> list[str]:
    return [each.limit_id for each in (await desk(router).ListLimits(pb.ListLimitsRequest())).limit_sets]


async def test_every_control_is_listed_in_the_order_of_the_table(router: Router) -> None:
    listed = (await desk(router).ListControls(pb.ListControlsRequest())).controls

    assert [each.rule_id for each in listed] == [control.rule_id for control in CONTROLS]
    assert all(each.text and each.source and each.applies for each in listed)
    assert all(each.dimensions and each.unit for each in listed if each.limit)


async def test_a_limit_that_is_set_refuses_from_then_on_and_one_that_is_gone_does_not(router: Router) -> None:
    assert (await submitted(router)).state == common_pb2.ORDER_STATE_PENDING_NEW
    made = await put(router, tight())

    refusal = await submitted(router)
    assert refusal.reject.reason == common_pb2.REJECT_REASON_RISK_MAX_QUANTITY
    assert [(each.rule_id, each.limit, each.limit_id) for each in refusal.reject.breaches] == [
        ("max_quantity", "50", "tight")
    ]

    await desk(router).DeleteLimits(pb.DeleteLimitsRequest(limit_id="tight", etag=made.etag, reason="over"))
    assert (await submitted(router)).state == common_pb2.ORDER_STATE_PENDING_NEW


async def test_what_is_set_is_audited_with_what_was_before_and_after(router: Router) -> None:
    await put(router, tight())
    await put(router, tight(max_order_quantity="60"))

    second, first = router.app._store.audit("tight", 10)

    assert (first.action, first.reason, first.before) == ("risk.limits.put", "as agreed", "")
    assert '"max_order_quantity":"50"' in first.after
    assert second.before == first.after
    assert '"max_order_quantity":"60"' in second.after


async def test_a_set_that_was_changed_since_it_was_read_is_not_overwritten(router: Router) -> None:
    read = await put(router, tight())
    await put(router, tight(max_order_quantity="60"))

    read.limits["max_order_quantity"] = "70"
    told = await refused(desk(router).UpdateLimits(pb.UpdateLimitsRequest(limit_set=read, reason="late")))

    assert told.reason == "ETAG_MISMATCH"
    assert (await desk(router).GetLimits(pb.GetLimitsRequest(limit_id="tight"))).limit_set.limits == {
        "max_order_quantity": "60"
    }


async def test_one_that_has_to_be_new_takes_no_other_ones_place(router: Router) -> None:
    await put(router, tight(), must_be_new=True)

    again = pb.UpdateLimitsRequest(limit_set=tight(), reason="again", must_be_new=True)

    assert (await refused(desk(router).UpdateLimits(again))).reason == "ETAG_MISMATCH"


async def test_a_part_is_changed_and_the_rest_stays(router: Router) -> None:
    await put(router, tight(max_order_quantity="50", max_positions="3"))
    change = pb.LimitSet(limit_id="tight", limits={"max_position": "9"}, mode=pb.LIMIT_MODE_WARN)
    paths = ["limits.max_position", "limits.max_order_quantity", "mode"]

    changed = await put(router, change, update_paths=paths)

    assert dict(changed.limits) == {"max_position": "9", "max_positions": "3"}
    assert (changed.mode, changed.scope.account_id) == (pb.LIMIT_MODE_WARN, "ACC1")


@pytest.mark.parametrize(
    ("limit_set", "field"),
    [
        (tight(max_size="1"), "limit_set.limits[max_size]"),
        (tight(max_position="-1"), "limit_set.limits[max_position]"),
        (tight(max_position="1e3"), "limit_set.limits[max_position]"),
        (pb.LimitSet(limit_id="none"), "limit_set.limits"),
        (tight(account_id="ACC9"), "limit_set.scope.account_id"),
        (pb.LimitSet(limit_id="x", lists=[pb.WordList(name="sides")]), "limit_set.lists[sides]"),
        (pb.LimitSet(limit_id="x", lists=[pb.WordList(words=["BUY"])]), "limit_set.lists[0].name"),
    ],
)
async def test_a_set_that_cannot_be_meant_is_refused_by_its_field(
    router: Router, limit_set: pb.LimitSet, field: str
) -> None:
    told = await refused(desk(router).UpdateLimits(pb.UpdateLimitsRequest(limit_set=limit_set, reason="x")))

    assert (told.reason, told.fields) == ("REQUEST_INVALID", [field])
    assert not [name for name in await names(router) if not name.startswith("file:")]


@pytest.mark.parametrize("name", ["file:ACC1", "file:other"])
async def test_what_the_file_says_is_the_files_to_change(router: Router, name: str) -> None:
    told = await refused(desk(router).UpdateLimits(pb.UpdateLimitsRequest(limit_set=tight(name), reason="x")))

    assert (told.reason, told.facts) == ("LIMIT_SET_FIXED", {"limit_id": name})


async def test_a_dry_run_changes_nothing(router: Router) -> None:
    await put(router, tight(), validate_only=True)

    assert (await refused(desk(router).GetLimits(pb.GetLimitsRequest(limit_id="tight")))).reason == (
        "LIMIT_SET_NOT_FOUND"
    )


async def test_an_import_makes_the_stored_sets_those_of_the_file(router: Router) -> None:
    for name in ("gone", "same", "other"):
        await put(router, tight(name))
    exported = (await desk(router).ListLimits(pb.ListLimitsRequest())).limit_sets
    wanted = [each for each in exported if each.limit_id != "gone"]
    next(each for each in wanted if each.limit_id == "other").limits["max_positions"] = "3"
    request = pb.ImportLimitsRequest(limit_sets=[*wanted, tight("fresh")], reason="a new day")

    tried = await desk(router).ImportLimits(pb.ImportLimitsRequest(validate_only=True, **_fields(request)))
    assert "gone" in await names(router)
    done = await desk(router).ImportLimits(request)

    assert done == tried
    assert (done.created_limit_ids, done.changed_limit_ids, done.deleted_limit_ids) == (
        ["fresh"],
        ["other"],
        ["gone"],
    )
    assert done.unchanged_count == 1
    assert [name for name in await names(router) if not name.startswith("file:")] == [
        "fresh",
        "other",
        "same",
    ]


def _fields(request: pb.ImportLimitsRequest) -> dict[str, Any]:
    return {"limit_sets": request.limit_sets, "reason": request.reason}


async def test_one_wrong_set_keeps_the_whole_import_out(router: Router) -> None:
    await put(router, tight("kept"))
    request = pb.ImportLimitsRequest(limit_sets=[tight("fine"), tight("wrong", max_size="1")], reason="x")

    told = await refused(desk(router).ImportLimits(request))

    assert told.fields == ["limit_sets[wrong].limits[max_size]"]
    assert "kept" in await names(router)


async def test_limits_are_listed_by_pages_and_by_account(router: Router) -> None:
    for number in range(3):
        await put(router, tight(f"z{number}", "ACC2"))

    own = pb.ListLimitsRequest(account_ids=["ACC2"], page_size=3)
    first = await desk(router).ListLimits(own)
    own.page_token = first.next_page_token
    rest = await desk(router).ListLimits(own)

    assert [each.limit_id for each in (*first.limit_sets, *rest.limit_sets)] == [
        "file:ACC2",
        "z0",
        "z1",
        "z2",
    ]
    assert (bool(first.next_page_token), rest.next_page_token) == (True, "")


# What they would say.


async def test_a_check_says_what_each_control_says_and_the_largest_quantity_and_sends_nothing(
    router: Router,
) -> None:
    await put(router, tight(max_order_quantity="50", max_open_orders="7"))
    before = len(router.broker.heard)

    found = await desk(router).CheckOrder(pb.CheckOrderRequest(order=new_order()))

    results = {(each.rule_id, each.limit_id): each for each in found.results}
    size = results["max_quantity", "tight"]
    assert (size.passed, size.limit, size.used, size.observed, size.headroom) == (
        False,
        "50",
        "0",
        "100",
        "50",
    )
    count = results["open_orders", "tight"]
    assert (count.passed, count.limit, count.used, count.observed) == (True, "7", "0", "1")
    assert (found.passed, found.largest_quantity, found.session_id) == (False, "50", "BROKER")
    assert len(router.broker.heard) == before
    assert not (await router.log())


async def test_an_order_of_the_largest_quantity_passes_and_one_more_lot_does_not(router: Router) -> None:
    await put(router, tight(max_order_notional="5432.10"))
    found = await desk(router).CheckOrder(pb.CheckOrderRequest(order=new_order()))
    most = int(found.largest_quantity)
    assert most == 108

    passing, failing = (
        await submitted(router, quantity=str(most)),
        await submitted(router, quantity=str(most + 1)),
    )

    assert passing.state == common_pb2.ORDER_STATE_PENDING_NEW
    assert failing.reject.reason == common_pb2.REJECT_REASON_RISK_MAX_NOTIONAL


async def test_a_size_is_bound_by_what_may_be_lost_and_by_the_limits(router: Router) -> None:
    async def sized(amount: str) -> pb.SizeOrderResponse:
        request = pb.SizeOrderRequest(order=new_order(quantity="1000"), stop_price="48", risk_amount=amount)
        response: pb.SizeOrderResponse = await desk(router).SizeOrder(request)
        return response

    await put(router, tight(max_order_quantity="300"))

    few, many = await sized("401"), await sized("100000")

    assert (few.quantity, few.quantity_by_risk, few.quantity_by_limits, few.risk) == (
        "200",
        "200",
        "300",
        "400",
    )
    assert (many.quantity, many.quantity_by_risk, many.risk) == ("300", "50000", "600")


async def test_a_size_leaves_no_more_to_lose_than_the_day_has_left(router: Router) -> None:
    await put(router, tight(max_daily_loss="101"))
    request = pb.SizeOrderRequest(order=new_order(quantity="1000"), stop_price="48", risk_amount="5000")

    size = await desk(router).SizeOrder(request)

    assert (size.quantity, size.quantity_by_risk, size.risk) == ("50", "50", "100")


async def test_contracts_are_reckoned_by_their_multiplier(router: Router) -> None:
    future = reference_service_pb2.Instrument(
        instrument_id="FUT", symbol="FUT", currency="USD", tick_size="0.01", lot_size="1", multiplier="50"
    )
    request = reference_service_pb2.CreateInstrumentRequest(instrument=future, reason="a new contract")
    await router.reference.CreateInstrument(request)
    await put(router, tight(max_open_notional="10000"))

    order = new_order(instrument_id="FUT", quantity="10", price="50")
    size = pb.SizeOrderRequest(order=order, stop_price="48", risk_amount="350")
    found = await desk(router).SizeOrder(size)
    await submitted(router, instrument_id="FUT", quantity="3", price="50")
    state = await desk(router).GetRiskState(pb.GetRiskStateRequest(scope=pb.RiskScope(account_id="ACC1")))

    assert (found.quantity_by_risk, found.quantity, found.risk) == ("3", "3", "300")
    assert [each.used for each in state.usages if each.rule_id == "open_notional"] == ["7500"]


@pytest.mark.parametrize(
    ("limits", "quantity"), [({"max_trade_risk": "100"}, "50"), ({"max_portfolio_heat": "61"}, "30")]
)
async def test_a_size_keeps_to_the_limits_on_what_stops_lose(
    router: Router, limits: dict[str, str], quantity: str
) -> None:
    await put(router, tight(**limits))
    request = pb.SizeOrderRequest(order=new_order(quantity="1000"), stop_price="48", risk_amount="5000")

    size = await desk(router).SizeOrder(request)

    assert (size.quantity, size.quantity_by_limits, size.quantity_by_risk) == (quantity, quantity, "2500")


async def test_a_stop_on_the_wrong_side_is_refused(router: Router) -> None:
    request = pb.SizeOrderRequest(order=new_order(), stop_price="51", risk_amount="1")

    assert (await refused(desk(router).SizeOrder(request))).fields == ["stop_price"]


async def test_the_state_tells_what_is_used_of_each_limit(router: Router) -> None:
    await submitted(router)
    await submitted(router, side=common_pb2.SIDE_SELL, quantity="30")
    await put(router, tight(max_open_orders="5", max_open_notional="10000"))

    scope = pb.RiskScope(account_id="ACC1")
    found = await desk(router).GetRiskState(pb.GetRiskStateRequest(scope=scope))

    used = {
        (each.rule_id, each.limit_id, each.instrument_id): (each.used, each.headroom) for each in found.usages
    }
    assert used["open_orders", "tight", ""] == ("2", "3")
    assert used["open_notional", "tight", ""] == ("6500", "3500")
    assert used["position", "file:ACC1", "ACME"][0] == "100"


# What they have said.


async def test_the_decision_on_an_order_is_kept_with_what_it_was_compared_with(router: Router) -> None:
    tried = tight()
    tried.mode = pb.LIMIT_MODE_SHADOW
    await put(router, tried)
    order = await submitted(router)

    request = pb.ListRiskDecisionsRequest(order_id=order.order_id)
    (decision,) = (await desk(router).ListRiskDecisions(request)).decisions

    assert (decision.allowed, decision.breaches) == (True, [])
    assert [(each.rule_id, each.limit_id) for each in decision.noted] == [("max_quantity", "tight")]
    measured = {(each.rule_id, each.limit_id): (each.limit, each.observed) for each in decision.measures}
    assert measured["max_quantity", "tight"] == ("50", "100")
    limits = await desk(router).ListLimits(pb.ListLimitsRequest())
    assert decision.policy_version == limits.policy_version


async def test_an_order_that_nobody_knows_has_no_decisions(router: Router) -> None:
    request = pb.ListRiskDecisionsRequest(order_id="nobody")

    assert (await refused(desk(router).ListRiskDecisions(request))).reason == "ORDER_NOT_FOUND"


async def test_an_order_that_nobody_submitted_here_was_never_decided_upon(router: Router) -> None:
    by_telephone = venue.Resting("V99", "PHONE-1", "ACME", "1", Decimal(10), "50")
    router.broker.say(venue.fill(router.broker, by_telephone))
    (event,) = await router.subscribe(position="START_POSITION_EARLIEST").events(1)

    request = pb.ListRiskDecisionsRequest(order_id=event.order.order_id)

    assert (await desk(router).ListRiskDecisions(request)).decisions == []


async def test_risk_events_are_told_as_they_come_and_again_from_where_a_reader_was(router: Router) -> None:
    watch = desk(router).WatchRiskEvents(pb.WatchRiskEventsRequest(after_sequence=0))
    warning = tight()
    warning.mode = pb.LIMIT_MODE_WARN
    await put(router, warning)
    order = await submitted(router)
    refusal = await submitted(router, account_id="SMALL")

    seen = await told(watch, 3)

    assert [each.kind for each in seen] == [
        pb.RISK_EVENT_KIND_LIMITS_CHANGED,
        pb.RISK_EVENT_KIND_WARNED,
        pb.RISK_EVENT_KIND_REFUSED,
    ]
    assert [each.order_id for each in seen] == ["", order.order_id, refusal.order_id]
    assert [each.sequence for each in seen] == [1, 2, 3]
    assert seen[1].breaches[0].limit_id == "tight"
    again = desk(router).WatchRiskEvents(pb.WatchRiskEventsRequest(after_sequence=1, account_ids=["SMALL"]))
    assert [each.sequence for each in await told(again, 1)] == [3]


async def test_who_follows_from_now_on_is_told_at_once_where_that_is(router: Router) -> None:
    await put(router, tight())
    watch = desk(router).WatchRiskEvents(pb.WatchRiskEventsRequest())

    first = await watch.read()
    await desk(router).DeleteLimits(pb.DeleteLimitsRequest(limit_id="tight", reason="over"))

    assert (first.events, first.sequence) == ([], 1)
    assert [each.text for each in await told(watch, 1)] == ["deleted: over"]


@pytest.mark.parametrize("after", [-1, 1])
async def test_nobody_resumes_where_nothing_has_been(router: Router, after: int) -> None:
    request = pb.WatchRiskEventsRequest(after_sequence=after)

    told = await refused(desk(router).WatchRiskEvents(request).read())

    assert (told.reason, told.fields) == ("REQUEST_INVALID", ["after_sequence"])


async def test_only_what_counts_executions_is_enabled_again(router: Router) -> None:
    await put(router, tight())
    await put(router, tight("turnover", max_executions="5"))

    wrong = await refused(desk(router).EnableAgain(pb.EnableAgainRequest(limit_id="tight", reason="x")))
    request = pb.EnableAgainRequest(limit_id="turnover", reason="it is meant to")
    enabled = await desk(router).EnableAgain(request)

    assert (wrong.reason, wrong.fields) == ("REQUEST_INVALID", ["limit_id"])
    assert enabled.limit_set.limits == {"max_executions": "5"}


async def test_limits_and_events_outlive_the_process(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/fairlead.db"
    async with running(store) as router:
        await put(router, tight())
        first = await submitted(router)
        version = (await desk(router).ListLimits(pb.ListLimitsRequest())).policy_version
        numbers = router.broker.session.numbers

    async with running(store, numbers) as router:
        again = await desk(router).ListLimits(pb.ListLimitsRequest())
        assert "tight" in [each.limit_id for each in again.limit_sets]
        assert again.policy_version == version
        second = await submitted(router)
        assert first.reject.breaches == second.reject.breaches
        watch = desk(router).WatchRiskEvents(pb.WatchRiskEventsRequest(after_sequence=1))
        assert [each.sequence for each in await told(watch, 2)] == [2, 3]
