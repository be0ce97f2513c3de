"""A link for each test, on a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from fairlead_server.store.database import Store

from tests.fix.versions import SPOKEN
from tests.stores import in_memory
from tests.venue.link import Link


@pytest.fixture
def store() -> Iterator[Store]:
    with in_memory() as empty:
        yield empty


@pytest.fixture(params=SPOKEN)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def link(store: Store) -> AsyncIterator[Link]:
    made = Link(store)
    yield made
    made.venue.disconnected("the test is over")
    await made.pipeline.close()
