"""A desk for each test; whatever a test did, memory and store must agree in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from fairlead_server.store.database import Store

from tests.routing.desk import Desk
from tests.stores import in_memory


@pytest.fixture
def store() -> Iterator[Store]:
    with in_memory() as empty:
        yield empty


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    made = Desk(store)
    yield made
    await made.end()
