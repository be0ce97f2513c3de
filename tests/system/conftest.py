from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.system.processes import Yard
from tests.system.world import World


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    yard = Yard(tmp_path)
    yield yard
    await yard.close()


@pytest.fixture
def world(tmp_path: Path, yard: Yard) -> World:
    return World(tmp_path, yard)
