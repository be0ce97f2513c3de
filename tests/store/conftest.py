"""The store's tests run once for each database, named by its URL; another database is one more parameter here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fairlead_server.store import tables
from fairlead_server.store.database import Store, open_store

from tests import postgres


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Of a PostgreSQL server, and a database there in which schemas can be made."""
    if named := os.environ.get("FAIRLEAD_POSTGRES_URL"):
        yield named
        return
    with postgres.started() as server:
        yield server.url


@pytest.fixture
def postgres_url(server_url: str) -> Iterator[str]:
    with postgres.schema(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def used_url(server_url: str) -> Iterator[str]:
    """Of a store that has its tables, which takes longer than most tests."""
    with postgres.schema(server_url) as url:
        open_store(url).close()
        yield url


@pytest.fixture
def empty_url(used_url: str) -> str:
    names = ", ".join(f'"{table.name}"' for table in tables.metadata.sorted_tables)
    postgres.execute(used_url, f"TRUNCATE {names}")
    return used_url


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def kept_url(request: pytest.FixtureRequest) -> str:
    """Of a store that can be closed and opened again."""
    url: str = request.getfixturevalue("file_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["file", "memory", "postgresql"])
def url(request: pytest.FixtureRequest, file_url: str) -> str:
    match request.param:
        case "file":
            return file_url
        case "memory":
            return "sqlite://"
        case _:
            found: str = request.getfixturevalue("empty_url")
            return found


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url, busy_timeout=0.05)
    yield opened
    opened.close()
