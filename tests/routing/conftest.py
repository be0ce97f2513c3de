"""A desk for each test; whatever a test did, memory and store must agree in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from fairlead_server.store.database import Store, open_store

from tests.routing.desk import Desk


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    made = Desk(store)
    yield made
    await made.end()
