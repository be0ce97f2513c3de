from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from itertools import permutations
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from fairlead_server.domain.amendments import RequestRecord
from fairlead_server.domain.order import Flag, Order
from fairlead_server.domain.reject import Breach
from fairlead_server.store.codec import Codec
from fairlead_server.store.tables import BREACHES, ORDER, REQUEST
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import fields, replace

from tests.domain.builders import sent_order

T = TypeVar("T")


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, by its annotations: a field that is added to an order is tested at once."""
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*map(anything, arguments))
    if get_origin(kind) is tuple and arguments[-1] is Ellipsis:
        return st.lists(anything(arguments[0]), max_size=2).map(tuple)
    if get_origin(kind) is tuple:
        return st.tuples(*map(anything, arguments))
    if get_origin(kind) is frozenset:
        return st.frozensets(anything(arguments[0]))
    if issubclass(kind, Struct):
        return st.builds(kind, **{f.name: anything(f.type) for f in fields(kind)})
    return st.sampled_from(kind) if issubclass(kind, Enum) else _PLAIN[kind]


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    NoneType: st.none(),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    str: st.text(max_size=10),
    Decimal: st.builds(
        lambda digits, places: Decimal(digits).scaleb(-places), st.integers(), st.integers(-3, 12)
    ),
    datetime: st.datetimes().map(lambda time: time.replace(tzinfo=UTC, fold=0)),  # UTC has no hour twice
}


def written(value: object) -> object:
    """As text, where equality would not see that a digit or a type was lost."""
    if isinstance(value, Struct):
        return [(field.name, written(getattr(value, field.name))) for field in fields(value)]
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    return tuple(map(written, value)) if isinstance(value, tuple) else repr(value)


def assert_survives(codec: Codec[T], value: T) -> None:
    back = codec.decode(codec.encode(value))

    assert back == value
    assert written(back) == written(value)


@given(anything(Order))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_an_order_comes_back_digit_by_digit(order: Order) -> None:
    assert_survives(ORDER, order)


@given(anything(RequestRecord))
def test_a_request_comes_back(record: RequestRecord) -> None:
    assert_survives(REQUEST, record)


@given(anything(tuple[Breach, ...]))
def test_breaches_come_back(breaches: tuple[Breach, ...]) -> None:
    assert_survives(BREACHES, breaches)


def test_a_field_that_an_older_version_did_not_write_takes_its_default() -> None:
    text = ORDER.encode(sent_order())

    assert ORDER.decode(text.replace('"ord_status":"",', "")) == sent_order()


def test_a_field_that_this_version_has_dropped_is_passed_over() -> None:
    text = ORDER.encode(sent_order())

    assert ORDER.decode(text.replace("{", '{"gone":1,', 1)) == sent_order()


def test_the_same_value_is_the_same_text_whatever_order_a_set_was_made_in() -> None:
    """A set of enums has the order of their addresses, which differs between two processes."""
    texts = {
        ORDER.encode(replace(sent_order(), flags=frozenset(flags))) for flags in permutations(list(Flag)[:5])
    }
    assert len(texts) == 1
    assert '"flags":["BUSTED","IN_DOUBT","OVERFILLED","STOPPED","SUSPENDED"]' in texts.pop()
