from __future__ import annotations

import pytest
from fairlead_server.store.errors import StoreError, without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///var/store.db", "sqlite:///var/store.db"),
        ("postgresql+psycopg://me@db/orders", "postgresql+psycopg://me@db/orders"),
        ("postgresql+psycopg://me:pa%40ss@db/orders", "postgresql+psycopg://me:***@db/orders"),
        ("postgresql+psycopg://:secret@db/orders", "postgresql+psycopg://:***@db/orders"),
        (
            "postgresql+psycopg:///orders?host=db&password=secret&user=me",
            "postgresql+psycopg:///orders?host=db&password=***&user=me",
        ),
        ("postgresql+psycopg:///orders?password=secret", "postgresql+psycopg:///orders?password=***"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert "secret" not in str(StoreError(url, "it is down", "wait"))
