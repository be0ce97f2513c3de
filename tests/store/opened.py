"""What only tests look at: the parts of a store that is open."""

from __future__ import annotations

from fairlead_server.store import postgres, sqlite
from fairlead_server.store.database import Store
from sqlalchemy import Connection, Engine


def writer(store: Store) -> Engine:
    assert isinstance(store._database, sqlite.Database | postgres.Database)
    return store._database.writer


def writing(store: Store) -> Connection:
    """The very connection that commits."""
    assert isinstance(store._database, postgres.Database)
    assert store._database._writing is not None
    return store._database._writing


def checkpointer(store: Store) -> sqlite.Checkpointer:
    assert isinstance(store._database, sqlite.Database)
    assert store._database.checkpointer is not None
    return store._database.checkpointer
