"""One router for each test; those that only ask, or are refused, share one for their module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.api.router import Router, running


@pytest.fixture
async def router() -> AsyncIterator[Router]:
    async with running() as up:
        yield up


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Router]:
    """With ``pytestmark = pytest.mark.asyncio(loop_scope="module")``."""
    async with running() as up:
        yield up
