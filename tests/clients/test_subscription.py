"""Subscriptions over real gRPC: cut, silent, closed. Both kinds, the same cases."""

import asyncio
import threading

import pytest
from fairlead import AsyncClient, Client, errors
from fairlead.v1.execution_service_pb2 import CaughtUp, OrderSnapshot
from fairlead.values import StartPosition
from grpc import StatusCode as Code

from tests.clients.conftest import QUICK
from tests.clients.fakes import HANG, Fail, FakeRouter, Streamed


def cut_twice(router: FakeRouter) -> None:
    """Events 1 to 6, over three streams that end in three ways."""
    first, second, third = Streamed(), Streamed(), Streamed()
    router.streams = [
        [first.established(), first.events(1, 2), Fail(Code.UNAVAILABLE)],
        [second.established("c2"), second.events(2, 3), second.lost().events(5)],
        [third.established("c3"), third.events(4, 5, 6), third.caught_up(6)],
    ]


def starts(router: FakeRouter) -> list[str]:
    return [request.after_cursor for request in router.received["SubscribeExecutions"]]


def test_a_cut_stream_resumes_and_yields_each_event_once(router: FakeRouter, client: Client) -> None:
    cut_twice(router)

    with client.subscribe(position=StartPosition.EARLIEST, until_caught_up=True) as subscription:
        assert [event.sequence for event in subscription] == [1, 2, 3, 4, 5, 6]

    assert starts(router) == ["", "c2", "c3"]
    assert subscription.cursor == "c6"


async def test_a_cut_stream_resumes_in_asyncio(router: FakeRouter, target: str) -> None:
    cut_twice(router)

    async with (
        AsyncClient(target, retry=QUICK) as client,
        client.subscribe(position=StartPosition.EARLIEST, until_caught_up=True) as subscription,
    ):
        assert [event.sequence async for event in subscription] == [1, 2, 3, 4, 5, 6]

    assert starts(router) == ["", "c2", "c3"]
    assert subscription.cursor == "c6"


def silent_once(router: FakeRouter) -> None:
    first, second = Streamed(), Streamed()
    router.streams_after = {
        "": [first.established(""), first.events(1), HANG],
        "c1": [second.established("c1"), second.events(2), second.caught_up(2)],
    }


def test_silence_means_a_dead_connection(router: FakeRouter, client: Client) -> None:
    silent_once(router)

    subscription = client.subscribe(heartbeat=0.1, until_caught_up=True)

    assert [event.sequence for event in subscription] == [1, 2]
    assert starts(router)[-1] == "c1"


async def test_silence_means_a_dead_connection_in_asyncio(router: FakeRouter, target: str) -> None:
    silent_once(router)

    async with AsyncClient(target, retry=QUICK) as client:
        subscription = client.subscribe(heartbeat=0.1, until_caught_up=True)
        assert [event.sequence async for event in subscription] == [1, 2]

    assert starts(router)[-1] == "c1"


def snapshot_first(router: FakeRouter) -> None:
    stream = Streamed()
    snapshot = OrderSnapshot(as_of_sequence=3, last_page=True)
    router.streams = [
        [
            stream.established(""),
            stream.message("c3", snapshot=snapshot),
            stream.events(4),
            stream.caught_up(4),
        ]
    ]


def test_updates_bring_the_snapshot_and_the_marker_too(router: FakeRouter, client: Client) -> None:
    snapshot_first(router)

    subscription = client.subscribe(position=StartPosition.SNAPSHOT_THEN_LIVE, until_caught_up=True)
    snapshot, event, marker = subscription.updates()

    assert isinstance(snapshot, OrderSnapshot)
    assert event.sequence == 4  # type: ignore[union-attr]
    assert isinstance(marker, CaughtUp)


def test_a_refusal_is_raised(router: FakeRouter, client: Client) -> None:
    router.streams = [[Fail(Code.OUT_OF_RANGE, "CURSOR_EXPIRED", metadata={"earliest_cursor": "c9"})]]

    with pytest.raises(errors.CursorExpired) as raised:
        list(client.subscribe(after_cursor="c1"))
    assert raised.value.metadata["earliest_cursor"] == "c9"


async def test_a_refusal_is_raised_in_asyncio(router: FakeRouter, target: str) -> None:
    router.streams = [[Fail(Code.INVALID_ARGUMENT, "CURSOR_INVALID")]]

    async with AsyncClient(target, retry=QUICK) as client:
        with pytest.raises(errors.InvalidRequest):
            await anext(client.subscribe(after_cursor="x").updates())


def test_a_server_that_is_not_there_is_given_up() -> None:
    with Client("127.0.0.1:1", retry=QUICK) as client, pytest.raises(errors.Unavailable):
        list(client.subscribe())


def test_closing_from_another_thread_ends_the_iteration(router: FakeRouter, client: Client) -> None:
    stream = Streamed()
    router.streams = [[stream.established(), stream.events(1), HANG]]
    subscription = client.subscribe()
    events = iter(subscription)
    assert next(events).sequence == 1

    closer = threading.Thread(target=subscription.close)
    closer.start()
    assert list(events) == []
    closer.join()
    assert len(router.received["SubscribeExecutions"]) == 1


async def test_closing_from_another_task_ends_the_iteration(router: FakeRouter, target: str) -> None:
    stream = Streamed()
    router.streams = [[stream.established(), stream.events(1), HANG]]

    async with AsyncClient(target, retry=QUICK) as client:
        subscription = client.subscribe()
        events = aiter(subscription)
        assert (await anext(events)).sequence == 1

        rest = asyncio.create_task(anext(events, None))
        await asyncio.sleep(0)  # it waits for a message
        subscription.close()
        assert await rest is None

    assert len(router.received["SubscribeExecutions"]) == 1


async def test_cancelling_the_task_is_not_swallowed(router: FakeRouter, target: str) -> None:
    stream = Streamed()
    router.streams = [[stream.established(), HANG]]

    async with AsyncClient(target, retry=QUICK) as client:
        subscription = client.subscribe()
        reader = asyncio.create_task(anext(subscription.updates()))
        await asyncio.to_thread(router.hanging.wait)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader


def test_leaving_a_loop_early_ends_the_stream(router: FakeRouter, client: Client) -> None:
    stream = Streamed()
    router.streams = [[stream.established(), stream.events(1, 2), HANG]]

    with client.subscribe() as subscription:
        for event in subscription:
            assert event.sequence == 1
            break

    assert subscription.cursor == "c0"  # event 2 came with event 1 and was not taken
