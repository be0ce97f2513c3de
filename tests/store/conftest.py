"""The store's tests run once for each database, named by its URL; another database is one more parameter here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fairlead_server.store.database import Store, open_store


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, file_url: str) -> str:
    return file_url if request.param == "file" else "sqlite://"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url, busy_timeout=0.05)
    yield opened
    opened.close()
