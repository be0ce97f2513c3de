"""The rule for reading errors, as a table."""

import pytest
from fairlead.errors import CallFailed, Failure, OutcomeUnknown
from fairlead.retry import MUTATION, READ, Attempts, Method, Retry
from fairlead.v1.order_service_pb2 import CancelOrderRequest, GetOrderRequest, SubmitOrderRequest
from grpc import StatusCode as Code

RETRY = Retry(initial=0.5, maximum=4.0, settle_attempts=4)
SUBMIT = SubmitOrderRequest(client_order_id="k1")
BARE = ""


def failed(code: Code, reason: str = BARE, *, delay: float | None = None, text: str = "x") -> CallFailed:
    return CallFailed(Failure(code, text, reason, retry_delay=delay))


def submitting() -> Attempts:
    return Attempts(MUTATION, RETRY, SUBMIT)


def exhaust(attempts: Attempts, error: CallFailed) -> None:
    for _ in range(100):
        attempts.failed(error)


@pytest.mark.parametrize("method", [READ, MUTATION])
def test_unavailable_is_tried_again_as_often_as_the_method_allows(method: Method) -> None:
    attempts = Attempts(method, RETRY, SUBMIT)
    down = failed(Code.UNAVAILABLE, "VENUE_SESSION_DOWN")

    for _ in range(method.attempts - 1):
        assert attempts.failed(down) > 0
    with pytest.raises(CallFailed) as raised:
        attempts.failed(down)
    assert raised.value is down


@pytest.mark.parametrize("code", [Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.INTERNAL, Code.UNKNOWN])
def test_a_read_that_failed_otherwise_is_not_tried_again(code: Code) -> None:
    with pytest.raises(CallFailed):
        Attempts(READ, RETRY, GetOrderRequest()).failed(failed(code))


@pytest.mark.parametrize(
    "error",
    [
        failed(Code.DEADLINE_EXCEEDED),
        failed(Code.CANCELLED),
        failed(Code.UNAVAILABLE),
        failed(Code.UNKNOWN),
        failed(Code.INTERNAL),
        failed(Code.INTERNAL, "INTERNAL"),
    ],
)
def test_a_mutation_that_may_have_arrived_is_repeated_and_then_unknown(error: CallFailed) -> None:
    attempts = submitting()

    for _ in range(RETRY.settle_attempts - 1):
        attempts.failed(error)
    with pytest.raises(OutcomeUnknown) as raised:
        attempts.failed(error)
    assert raised.value.client_order_id == "k1"
    assert raised.value.last is error


def test_an_unknown_cancel_names_its_request_id() -> None:
    attempts = Attempts(MUTATION, Retry(settle_attempts=1), CancelOrderRequest(request_id="r1"))

    with pytest.raises(OutcomeUnknown, match="request_id r1"):
        attempts.failed(failed(Code.DEADLINE_EXCEEDED))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (Code.DEADLINE_EXCEEDED, "NOT_ROUTED_IN_TIME"),
        (Code.INVALID_ARGUMENT, "REQUEST_INVALID"),
        (Code.PERMISSION_DENIED, "ACCOUNT_FORBIDDEN"),
        (Code.FAILED_PRECONDITION, "ORDER_TERMINAL"),
        (Code.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED"),
    ],
)
def test_what_the_router_says_at_once_is_final(code: Code, reason: str) -> None:
    error = failed(code, reason)

    with pytest.raises(CallFailed) as raised:
        submitting().failed(error)
    assert raised.value is error


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (Code.ALREADY_EXISTS, "CLIENT_ORDER_ID_CONFLICT"),
        (Code.INVALID_ARGUMENT, "REQUEST_INVALID"),
        (Code.NOT_FOUND, "ORDER_NOT_FOUND"),
        (Code.ABORTED, "ORDER_VERSION_MISMATCH"),
    ],
)
def test_an_answer_that_looked_the_key_up_settles_earlier_attempts(code: Code, reason: str) -> None:
    attempts = submitting()
    attempts.failed(failed(Code.DEADLINE_EXCEEDED))
    settled = failed(code, reason)

    with pytest.raises(CallFailed) as raised:
        attempts.failed(settled)
    assert raised.value is settled


@pytest.mark.parametrize("code", [Code.UNAUTHENTICATED, Code.PERMISSION_DENIED, Code.UNIMPLEMENTED])
def test_an_answer_from_before_the_lookup_settles_nothing(code: Code) -> None:
    attempts = submitting()
    attempts.failed(failed(Code.DEADLINE_EXCEEDED))

    with pytest.raises(OutcomeUnknown):
        attempts.failed(failed(code, "CREDENTIALS_EXPIRED"))


def test_a_definite_no_of_a_later_attempt_says_nothing_of_the_first() -> None:
    attempts = submitting()
    attempts.failed(failed(Code.UNAVAILABLE))

    with pytest.raises(OutcomeUnknown):
        exhaust(attempts, failed(Code.UNAVAILABLE, "SERVER_DRAINING"))


def test_a_call_that_never_found_a_connection_was_not_sent() -> None:
    attempts = submitting()
    refused = failed(Code.UNAVAILABLE, text="failed to connect to all addresses; last error: ...")

    with pytest.raises(CallFailed) as raised:
        exhaust(attempts, refused)
    assert raised.value is refused


def test_the_server_says_how_long_to_wait() -> None:
    assert submitting().failed(failed(Code.UNAVAILABLE, "OVERLOADED", delay=1.75)) == 1.75
    assert submitting().failed(failed(Code.RESOURCE_EXHAUSTED, "RATE_LIMIT_EXCEEDED", delay=1.5)) == 1.5


def test_a_longer_wait_than_for_an_answer_is_left_to_the_caller() -> None:
    with pytest.raises(CallFailed):
        submitting().failed(failed(Code.UNAVAILABLE, "SERVER_DRAINING", delay=MUTATION.timeout + 1))


@pytest.mark.parametrize(("failures", "full"), [(1, 0.5), (2, 1.0), (4, 4.0), (5, 4.0), (10_000, 4.0)])
def test_delays_double_up_to_a_maximum_and_vary_by_half(failures: int, full: float) -> None:
    delays = [RETRY.delay(failures) for _ in range(100)]

    assert all(full / 2 <= delay <= full for delay in delays)
    assert len(set(delays)) > 1
