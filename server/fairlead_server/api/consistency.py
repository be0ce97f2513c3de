"""What the fields of a request say of each other, whatever the state of the system.

The rules beside each field (:mod:`fairlead_server.api.validation`) have been checked before. What depends on the
instrument, or on the order that is amended, is the business of risk and makes a Reject.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from fairlead.v1 import common_pb2
from fairlead.v1.order_service_pb2 import AmendOrderRequest, CancelAllOrdersRequest, SubmitOrderRequest
from fairlead.v1.reference_service_pb2 import (
    ImportInstrumentsRequest,
    PriceUpdate,
    UpdateInstrumentRequest,
    UpdateReferencePricesRequest,
)
from fairlead.v1.risk_service_pb2 import GetRiskStateRequest
from fairlead.v1.session_service_pb2 import (
    GetSessionScheduleRequest,
    ListSessionMessagesRequest,
    RequestOrderStatusRequest,
    ResetSessionSequenceRequest,
)
from fairlead.v1.trading_control_service_pb2 import (
    TRADING_STATE_KILLED,
    ActivateKillSwitchRequest,
    ApproveLiveRequest,
    ArmDeadManSwitchRequest,
    DisarmDeadManSwitchRequest,
    FlattenRequest,
    GetTradingStateRequest,
    ReleaseKillSwitchRequest,
    RequestLiveRequest,
    RevokeLiveRequest,
    SetTradingStateRequest,
)

from fairlead_server.api.reference import COLUMNS
from fairlead_server.api.validation import Violation
from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.routing.prices import MANUAL

_GTD_ONLY = "goes with TIME_IN_FORCE_GTD only"
_MOST_SEQ_NUM = 2**31 - 1  # what engines can be relied on to count up to


def check_submit(request: SubmitOrderRequest) -> None:
    _refuse(_contradictions(request))


def check_amend(request: AmendOrderRequest) -> None:
    """What is not set stays as the order has it, so only what is set can contradict itself."""
    _refuse(_amend_contradictions(request))


def check_cancel_all(request: CancelAllOrdersRequest) -> None:
    scoped = request.account_id or request.all_accounts
    _refuse([] if scoped else [("scope", "needs one of account_id, all_accounts = true")])


def check_reset(request: ResetSessionSequenceRequest) -> None:
    names = ("expected_next_in", "expected_next_out", "next_in", "next_out")
    wrong = [name for name in names if not 0 <= getattr(request, name) <= _MOST_SEQ_NUM]
    _refuse((name, f"must be between 1 and {_MOST_SEQ_NUM}") for name in wrong)


def check_messages(request: ListSessionMessagesRequest) -> None:
    names = ("min_msg_seq_num", "max_msg_seq_num", "epoch")
    negative = [(name, "must not be negative") for name in names if getattr(request, name) < 0]
    foreign = [] if _latin(request.order) else [("order", "holds a character that FIX cannot carry")]
    _refuse([*negative, *foreign])


def check_prices(request: UpdateReferencePricesRequest) -> None:
    unsaid = request.source == MANUAL and not request.reason
    _refuse([("reason", "is required of prices that are set by hand")] if unsaid else [])


def check_price(update: PriceUpdate) -> None:
    both = update.HasField("bid") and update.HasField("ask")
    crossed = both and Decimal(update.bid) > Decimal(update.ask)
    _refuse([("ask", f"must not be below bid, which is {update.bid}")] if crossed else [])


def check_instrument_mask(request: UpdateInstrumentRequest) -> None:
    known = [*COLUMNS][1:]  # all but its name
    wrong = [name for name in request.update_mask.paths if name not in known]
    unnamed = [] if request.instrument.instrument_id else [("instrument.instrument_id", "is required")]
    _refuse(
        [
            *unnamed,
            *(("update_mask", f"{n} cannot be changed; what can is {', '.join(known)}") for n in wrong),
        ]
    )


def check_import(request: ImportInstrumentsRequest) -> None:
    needs = [] if request.WhichOneof("source") else [("source", "needs one of csv, backup_id")]
    unsaid = not (request.validate_only or request.reason)
    _refuse([*needs, *([("reason", "is required unless validate_only is set")] if unsaid else [])])


def check_plan(request: GetSessionScheduleRequest) -> None:
    _refuse([("days", "must not be negative")] if request.days < 0 else [])


def check_status(request: RequestOrderStatusRequest) -> None:
    missing = request.WhichOneof("target") is None
    _refuse([("target", "needs one of order, session_id")] if missing else [])


def check_scope(
    request: SetTradingStateRequest
    | ActivateKillSwitchRequest
    | ReleaseKillSwitchRequest
    | GetTradingStateRequest
    | FlattenRequest
    | ArmDeadManSwitchRequest
    | DisarmDeadManSwitchRequest,
) -> None:
    scope = request.scope
    named = any((scope.account_id, scope.strategy_id, scope.instrument_id, scope.session_id))
    if named is scope.everything:
        wrong = "goes with no other field" if named else "must be true where no other field is set"
        _refuse([("scope.everything", wrong)])


def check_gate(request: RequestLiveRequest | ApproveLiveRequest | RevokeLiveRequest) -> None:
    missing = request.WhichOneof("gate") is None
    _refuse([("gate", "needs one of account_id, session_id")] if missing else [])


def check_flatten(request: FlattenRequest) -> None:
    check_scope(request)
    named = bool(request.scope.session_id)
    _refuse([("scope.session_id", "is nothing that a position is of")] if named else [])


def check_trading_state(request: SetTradingStateRequest) -> None:
    check_scope(request)
    killed = request.state == TRADING_STATE_KILLED
    _refuse([("state", "is what ActivateKillSwitch is for")] if killed else [])


def check_risk_state(request: GetRiskStateRequest, is_account: Callable[[str], bool]) -> None:
    account_id = request.scope.account_id
    wrong = f"{account_id} is no account of the configuration" if account_id else "is required"
    _refuse([] if is_account(account_id) else [("scope.account_id", wrong)])


def check_names(names: Iterable[str], path: str) -> None:
    """That none of a list stands there twice."""
    counts = Counter(names)
    _refuse((path, f"{name} stands there {count} times") for name, count in counts.items() if count > 1)


def _latin(text: str) -> bool:
    return all(ord(character) <= 0xFF for character in text)  # noqa: PLR2004 - Latin-1's last


def _refuse(found: Iterable[Violation]) -> None:
    violations = list(found)
    if violations:
        raise InvalidRequest(violations)


def _contradictions(request: SubmitOrderRequest) -> Iterator[Violation]:
    gtd = request.time_in_force == common_pb2.TIME_IN_FORCE_GTD
    if gtd and not request.HasField("expire_time"):
        yield "expire_time", "is required with TIME_IN_FORCE_GTD"
    if request.HasField("expire_time") and not gtd:
        yield "expire_time", _GTD_ONLY
    if request.HasField("display_quantity"):
        yield from _at_most("display_quantity", request.display_quantity, request.quantity)
    if request.HasField("min_quantity"):
        yield from _at_most("min_quantity", request.min_quantity, request.quantity)
    if request.post_only and request.order_type != common_pb2.ORDER_TYPE_LIMIT:
        yield "post_only", "goes with ORDER_TYPE_LIMIT only"


def _amend_contradictions(request: AmendOrderRequest) -> Iterator[Violation]:
    other = request.time_in_force not in (common_pb2.TIME_IN_FORCE_UNSPECIFIED, common_pb2.TIME_IN_FORCE_GTD)
    if request.HasField("expire_time") and other:
        yield "expire_time", _GTD_ONLY
    if request.HasField("display_quantity") and request.HasField("quantity"):
        yield from _at_most("display_quantity", request.display_quantity, request.quantity)


def _at_most(name: str, part: str, whole: str) -> Iterator[Violation]:
    if Decimal(part) > Decimal(whole):
        yield name, f"must not exceed quantity, which is {whole}"
