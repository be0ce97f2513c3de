"""Risk from both clients: limits, what they would say, and a watch that outlives its streams."""

from typing import Any

import pytest
from fairlead import AsyncClient, Client
from fairlead.errors import Aborted, Unavailable
from grpc import StatusCode as Code

from tests.clients.conftest import QUICK
from tests.clients.fakes import Fail, FakeRouter
from tests.clients.risk_answers import (
    ASKED,
    CHANGED,
    DECISION,
    DEMO,
    ORDER,
    SIZE,
    STATE,
    TIGHT,
    answered,
    controls,
    cut_off,
)


def was_asked(router: FakeRouter) -> dict[str, Any]:
    """The one request of each method, or the last page's."""
    return {method: requests[-1] for method, requests in router.received.items()}


def test_the_client_asks_what_it_is_told_to(router: FakeRouter, client: Client) -> None:
    answered(router)

    assert client.list_controls() == controls().controls
    assert [each.limit_id for each in client.list_limits("DEMO", page_size=1)] == ["tight", "wide"]
    assert client.get_limits("tight") == TIGHT
    changed = client.update_limits(TIGHT, reason="why", paths=["mode"], must_be_new=True, validate_only=True)
    assert changed == TIGHT
    client.delete_limits("tight", reason="why", etag="e1")
    assert client.enable_again("tight", reason="why") == TIGHT
    assert client.import_limits([TIGHT], reason="why", validate_only=True).unchanged_count == 2
    assert client.risk_state(DEMO) == STATE
    assert client.check_order(**ORDER).largest_quantity == "50"
    assert client.size_order(**ORDER, protective_stop=190, risk_amount=1000) == SIZE
    assert client.list_risk_decisions("o1") == [DECISION]

    assert was_asked(router) == ASKED


async def test_the_async_client_asks_the_same(router: FakeRouter, target: str) -> None:
    answered(router)

    async with AsyncClient(target, retry=QUICK) as client:
        assert await client.list_controls() == controls().controls
        assert [each.limit_id async for each in client.list_limits("DEMO", page_size=1)] == ["tight", "wide"]
        assert await client.get_limits("tight") == TIGHT
        flags = {"must_be_new": True, "validate_only": True}
        assert await client.update_limits(TIGHT, reason="why", paths=["mode"], **flags) == TIGHT
        await client.delete_limits("tight", reason="why", etag="e1")
        assert await client.enable_again("tight", reason="why") == TIGHT
        done = await client.import_limits([TIGHT], reason="why", validate_only=True)
        assert done.unchanged_count == 2
        assert await client.risk_state(DEMO) == STATE
        assert (await client.check_order(**ORDER)).largest_quantity == "50"
        assert await client.size_order(**ORDER, protective_stop=190, risk_amount=1000) == SIZE
        assert await client.list_risk_decisions("o1") == [DECISION]

    assert was_asked(router) == ASKED


def test_what_was_changed_meanwhile_is_a_conflict_and_no_change_is_tried_twice(
    router: FakeRouter, client: Client
) -> None:
    router.answers["UpdateLimits"] = [CHANGED]
    router.answers["DeleteLimits"] = [Fail(Code.UNAVAILABLE)]

    with pytest.raises(Aborted, match="not e1"):
        client.update_limits(TIGHT, reason="why")
    with pytest.raises(Unavailable):
        client.delete_limits("tight", reason="why")

    assert len(router.received["DeleteLimits"]) == 1


def resumed(router: FakeRouter) -> list[int | None]:
    requests = router.received["WatchRiskEvents"]
    return [each.after_sequence if each.HasField("after_sequence") else None for each in requests]


def test_a_watch_resumes_behind_what_it_has_told_and_tells_nothing_twice(
    router: FakeRouter, client: Client
) -> None:
    cut_off(router)

    with client.watch_risk_events("DEMO") as watch:
        each = iter(watch)
        assert [next(each).sequence for _ in range(5)] == [5, 6, 7, 8, 9]

    assert resumed(router) == [None, 4, 6, 7]
    assert all(list(each.account_ids) == ["DEMO"] for each in router.received["WatchRiskEvents"])


async def test_the_async_watch_does_the_same(router: FakeRouter, target: str) -> None:
    cut_off(router)
    found = []

    async with AsyncClient(target, retry=QUICK) as client, client.watch_risk_events(after=3) as watch:
        async for event in watch:
            found.append(event.sequence)
            if event.sequence == 9:
                break

    assert found == [5, 6, 7, 8, 9]
    assert resumed(router) == [3, 4, 6, 7]
