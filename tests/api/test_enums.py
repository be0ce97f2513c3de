"""The enums of the domain and of the API are the same but for their prefixes."""

from __future__ import annotations

from typing import Any

import pytest
from fairlead.v1 import common_pb2, execution_service_pb2, reference_service_pb2, session_service_pb2
from fairlead_server.api import enums
from fairlead_server.api.enums import Pair
from fairlead_server.api.order_answers import AMEND_OUTCOME, CANCEL_OUTCOME
from fairlead_server.domain.amendments import RequestOutcome
from fairlead_server.domain.order import RouteState
from fairlead_server.venue.settings import SHOWN

PAIRS = [pair for pair in vars(enums).values() if isinstance(pair, Pair)]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: type(next(iter(pair.number))).__name__)
def test_each_member_has_a_number_and_each_number_its_member(pair: Pair[Any]) -> None:
    assert {pair.member[number] for number in pair.number.values()} == set(pair.number)
    assert 0 not in pair.member


PUBLISHED = [
    (enums.SIDE, common_pb2.Side),
    (enums.ORDER_TYPE, common_pb2.OrderType),
    (enums.TIME_IN_FORCE, common_pb2.TimeInForce),
    (enums.CAPACITY, common_pb2.OrderCapacity),
    (enums.MANUAL, common_pb2.ManualIndicator),
    (enums.ORDER_STATE, common_pb2.OrderState),
    (enums.PENDING_ACTION, common_pb2.PendingAction),
    (enums.KIND, execution_service_pb2.ExecutionKind),
    (enums.REJECT_SOURCE, common_pb2.RejectSource),
    (enums.CHAIN_MODE, session_service_pb2.ChainMode),
    (enums.REPLACE_QUANTITY, session_service_pb2.ReplaceQuantity),
    (enums.EXEC_ID_SCOPE, session_service_pb2.ExecIdScope),
    (enums.INITIATOR, common_pb2.Initiator),
]


@pytest.mark.parametrize(("pair", "published"), PUBLISHED)
def test_each_published_number_means_something(pair: Pair[Any], published: Any) -> None:
    assert set(pair.member) == set(published.values()) - {0}


def test_a_route_has_a_published_state_once_there_is_one() -> None:
    assert set(enums.ROUTE_STATE) == set(RouteState) - {RouteState.NONE}


def test_every_outcome_of_a_request_has_its_word_in_both_answers() -> None:
    assert set(AMEND_OUTCOME) == set(RequestOutcome)
    assert set(CANCEL_OUTCOME) == set(RequestOutcome)


def test_the_states_of_a_session_are_published() -> None:
    shown = {*SHOWN.values(), "BACKOFF", "CONNECTING", "DISABLED", "OUT_OF_WINDOW"}

    assert {f"SESSION_STATE_{state}" for state in shown} <= set(session_service_pb2.SessionState.keys())


def test_the_days_are_numbered_from_monday() -> None:
    assert reference_service_pb2.DAY_OF_WEEK_MONDAY == 1
    assert reference_service_pb2.DAY_OF_WEEK_SUNDAY == 7
