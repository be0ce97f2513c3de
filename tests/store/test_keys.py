from __future__ import annotations

from sys import getsizeof

from fairlead_server.store.keys import Keys, client_key, request_key
from hypothesis import given
from hypothesis import strategies as st

keys = st.lists(st.integers(-(2**63), 2**63 - 1))


@given(keys, keys)
def test_all_that_was_given_is_found_whether_read_or_added(read: list[int], added: list[int]) -> None:
    known = Keys(read)
    for key in added:
        known.add(key)

    assert all(key in known for key in [*read, *added])
    assert known == Keys([*added, *read])


@given(st.sets(st.text()))
def test_nothing_else_is_found(names: set[str]) -> None:
    known = Keys(request_key(name) for name in names)

    assert len(known) == len(names)
    assert not any(request_key(f"{name}?") in known for name in names if f"{name}?" not in names)


@given(st.text(), st.text(), st.text(), st.text())
def test_a_client_key_fits_a_bigint_and_tells_pairs_apart(a: str, b: str, c: str, d: str) -> None:
    assert -(2**63) <= client_key(a, b) < 2**63
    assert (client_key(a, b) == client_key(c, d)) == ((a, b) == (c, d))


def test_a_client_key_stays_what_it_was_stored_as() -> None:
    assert client_key("ACC1", "client-1") == client_key("ACC1", "client-1")
    assert client_key("ACC1", "client-1") != client_key("ACC", "1client-1")


def test_a_million_keys_take_less_than_eight_bytes_each() -> None:
    known = Keys(number * 11400714819323198485 % 2**64 - 2**63 for number in range(1_000_000))

    assert len(known) == 1_000_000
    assert getsizeof(known) < 8_000_000
