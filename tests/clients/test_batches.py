"""Batches, mass cancels and rulings: what both clients send, and what they make of the answer."""

from uuid import UUID

import pytest
from fairlead import AsyncClient, Client, OutcomeUnknown, ReconcileVerdict, Side, errors
from fairlead.v1 import common_pb2
from fairlead.v1 import order_service_pb2 as pb
from google.rpc import status_pb2
from grpc import StatusCode as Code

from tests.clients.cli import Cli
from tests.clients.conftest import QUICK
from tests.clients.fakes import Fail, FakeRouter
from tests.clients.test_client import MINE, ORDER

KEY = "123e4567-e89b-12d3-a456-426614174000"


async def test_a_batch_is_sent_with_all_its_keys_and_the_same_ones_again(
    router: FakeRouter, target: str
) -> None:
    done = pb.BatchSubmitOrdersResponse(results=[pb.BatchSubmitResult(ok=pb.SubmitOrderResponse())])
    router.answers["BatchSubmitOrders"] = [Fail(Code.UNAVAILABLE), done]
    with Client(target, retry=QUICK) as client:
        assert client.batch_submit_orders([MINE, ORDER], require_all_risk_pass=True) == done
    async with AsyncClient(target, retry=QUICK) as asynchronous:
        assert await asynchronous.batch_submit_orders([MINE], stop_on_error=True) == done

    first, again, other = router.received["BatchSubmitOrders"]
    assert first == again
    assert first.require_all_risk_pass
    assert other.stop_on_error
    keys = [order.client_order_id for order in first.orders]
    assert keys[0] == "mine"
    assert str(UUID(keys[1])) == keys[1]


async def test_amends_and_cancels_are_sent_in_their_order(router: FakeRouter, target: str) -> None:
    router.answers["BatchAmendOrders"] = [pb.BatchAmendOrdersResponse()]
    router.answers["BatchCancelOrders"] = [pb.BatchCancelOrdersResponse()]
    with Client(target) as client:
        client.batch_amend_orders([("o1", {"price": "5.10"}), ("o2", {"quantity": 7})])
        client.batch_cancel_orders(["o1", "o2"])
    async with AsyncClient(target) as asynchronous:
        await asynchronous.batch_amend_orders([("o1", {"price": "5.10"})], stop_on_error=True)
        await asynchronous.batch_cancel_orders(["o1"], stop_on_error=True)

    amends, stopped = router.received["BatchAmendOrders"]
    assert [(each.order.order_id, each.price, each.quantity) for each in amends.amends] == [
        ("o1", "5.10", ""),
        ("o2", "", "7"),
    ]
    cancels, _ = router.received["BatchCancelOrders"]
    assert [each.order.order_id for each in cancels.cancels] == ["o1", "o2"]
    assert len({each.request_id for each in (*amends.amends, *cancels.cancels)}) == 4
    assert stopped.stop_on_error


def test_the_error_of_an_item_is_the_one_that_it_would_have_raised_alone() -> None:
    fail = Fail(Code.ABORTED, "ORDER_VERSION_MISMATCH", metadata={"actual": "3"})

    error = errors.from_status(status_pb2.Status.FromString(fail.details()))

    assert type(error) is errors.VersionMismatch
    assert (error.code, error.message, error.metadata["actual"]) == (Code.ABORTED, "told to", "3")
    assert error.definite
    assert errors.from_status(status_pb2.Status(code=77)).code is Code.UNKNOWN


def test_a_batch_whose_outcome_is_unknown_keeps_its_keys(router: FakeRouter, client: Client) -> None:
    router.answers["BatchSubmitOrders"] = [Fail(Code.DEADLINE_EXCEEDED)]

    with pytest.raises(OutcomeUnknown, match="the same keys") as unknown:
        client.batch_submit_orders([MINE])

    sent = unknown.value.request
    assert isinstance(sent, pb.BatchSubmitOrdersRequest)
    assert sent.orders[0].client_order_id == "mine"


async def test_a_mass_cancel_is_sent_as_it_was_meant(router: FakeRouter, target: str) -> None:
    router.answers["CancelAllOrders"] = [pb.CancelAllOrdersResponse(matched_count=2)]
    with Client(target) as client:
        answer = client.cancel_all_orders(
            account_id="demo", instrument_ids="AAPL", side=Side.SELL, validate_only=True, request_id=KEY
        )
    async with AsyncClient(target) as asynchronous:
        await asynchronous.cancel_all_orders(all_accounts=True)

    assert answer.matched_count == 2
    one, every = router.received["CancelAllOrders"]
    assert one == pb.CancelAllOrdersRequest(
        request_id=KEY,
        account_id="demo",
        instrument_ids=["AAPL"],
        side=common_pb2.SIDE_SELL,
        validate_only=True,
    )
    assert (every.WhichOneof("scope"), every.all_accounts) == ("all_accounts", True)
    assert str(UUID(every.request_id)) == every.request_id


def test_whose_orders_to_cancel_must_be_said_once(client: Client) -> None:
    with pytest.raises(errors.BadValue, match="give account_id or all_accounts"):
        client.cancel_all_orders()
    with pytest.raises(errors.BadValue, match="only one of"):
        client.cancel_all_orders(account_id="demo", all_accounts=True)


async def test_a_ruling_is_sent_as_it_was_meant(router: FakeRouter, target: str) -> None:
    router.answers["ReconcileOrder"] = [pb.ReconcileOrderResponse(duplicate=True)]
    with Client(target) as client:
        answer = client.reconcile_order(
            "o1", verdict=ReconcileVerdict.CANCELED, reason="by phone", ticket="T-1", request_id=KEY
        )
    async with AsyncClient(target) as asynchronous:
        await asynchronous.reconcile_order(
            "o1", verdict=ReconcileVerdict.STANDS, reason="by phone", ticket="T-1", force=True
        )

    assert answer.duplicate
    first, second = router.received["ReconcileOrder"]
    assert first == pb.ReconcileOrderRequest(
        order=common_pb2.OrderRef(order_id="o1"),
        request_id=KEY,
        verdict=pb.RECONCILE_VERDICT_CANCELED,
        reason="by phone",
        ticket="T-1",
    )
    assert (second.verdict, second.force) == (pb.RECONCILE_VERDICT_STANDS, True)


# The command line.


def test_cancel_all_shows_what_it_came_to(router: FakeRouter, cli: Cli) -> None:
    router.answers["CancelAllOrders"] = [
        pb.CancelAllOrdersResponse(
            mass_cancel_id="M1", matched_count=3, requested_count=2, already_pending_count=1, duplicate=True
        )
    ]

    assert cli("order", "cancel-all", "--account", "demo", "--side", "sell", "--strategy", "S1") == 0

    (sent,) = router.received["CancelAllOrders"]
    assert (sent.account_id, sent.side, list(sent.strategy_ids)) == ("demo", common_pb2.SIDE_SELL, ["S1"])
    heading, row = cli.out.splitlines()
    assert heading.split() == ["mass_cancel_id", "matched", "requested", "canceled", "already_pending"]
    assert row.split() == ["M1", "3", "2", "0", "1"]
    assert "duplicate" in cli.err


def test_cancel_all_may_only_count(router: FakeRouter, cli: Cli) -> None:
    router.answers["CancelAllOrders"] = [pb.CancelAllOrdersResponse(matched_count=3)]

    assert cli("order", "cancel-all", "--all-accounts", "--dry-run") == 0

    (sent,) = router.received["CancelAllOrders"]
    assert (sent.all_accounts, sent.validate_only) == (True, True)


@pytest.mark.parametrize("scope", [(), ("--account", "demo", "--all-accounts")])
def test_cancel_all_needs_to_know_whose_orders(router: FakeRouter, cli: Cli, scope: tuple[str, ...]) -> None:
    assert cli("order", "cancel-all", *scope) == 2

    assert "either --account or --all-accounts" in cli.err
    assert not router.received


def test_an_order_is_reconciled_with_a_reason_and_a_ticket(router: FakeRouter, cli: Cli) -> None:
    order = common_pb2.Order(order_id="o1", state=common_pb2.ORDER_STATE_CANCELED)
    router.answers["ReconcileOrder"] = [pb.ReconcileOrderResponse(order=order, duplicate=True)]

    code = cli(
        "order", "reconcile", "o1", "done-for-day", "--reason", "by phone", "--ticket", "T-1", "--force"
    )

    assert code == 0
    (sent,) = router.received["ReconcileOrder"]
    assert (sent.verdict, sent.force) == (pb.RECONCILE_VERDICT_DONE_FOR_DAY, True)
    assert "canceled" in cli.out
    assert "settled so before" in cli.err


def test_an_order_that_is_not_in_doubt_is_a_conflict(router: FakeRouter, cli: Cli) -> None:
    router.answers["ReconcileOrder"] = [Fail(Code.FAILED_PRECONDITION, "ORDER_NOT_IN_DOUBT")]

    assert cli("order", "reconcile", "o1", "canceled", "--reason", "by phone", "--ticket", "T-1") == 4
