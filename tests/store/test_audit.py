from __future__ import annotations

from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Store

from tests.store.facts import SESSION, audited


def test_what_operators_did_is_read_newest_first(store: Store) -> None:
    store.commit(Batch(audit=[audited(1), audited(2, subject="OTHER")]))
    store.commit(Batch(audit=[audited(3)]))

    assert store.audit(SESSION, 10) == [audited(3), audited(1)]
    assert store.audit("", 2) == [audited(3), audited(2, subject="OTHER")]


def test_a_stop_and_its_audit_are_worth_a_commit() -> None:
    assert Batch(audit=[audited()])
    assert Batch(stopped={SESSION: ""})
    assert not Batch()
