from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.system.world")

from tests.system.processes import Yard  # noqa: E402 - after its asserts are made to explain themselves
from tests.system.world import World  # noqa: E402


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    yard = Yard(tmp_path)
    yield yard
    await yard.close()


@pytest.fixture
def world(tmp_path: Path, yard: Yard) -> World:
    return World(tmp_path, yard)
