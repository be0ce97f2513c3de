"""What the fake router answers about risk, and what it is then to have been asked."""

from typing import Any

from fairlead import OrderType, Side
from fairlead.v1 import common_pb2
from fairlead.v1 import risk_service_pb2 as pb
from fairlead.v1.execution_service_pb2 import STREAM_ENDING_REASON_DRAINING, StreamEnding
from fairlead.v1.order_service_pb2 import SubmitOrderRequest
from fairlead.values import NewOrder
from grpc import StatusCode as Code

from tests.clients.fakes import HANG, Fail, FakeRouter

DEMO = pb.RiskScope(account_id="DEMO")
TIGHT = pb.LimitSet(
    limit_id="tight",
    scope=DEMO,
    limits={"max_position": "500", "max_amends": "3"},
    lists=[pb.WordList(name="allowed_sides", words=["BUY", "SELL"])],
    mode=pb.LIMIT_MODE_WARN,
    override=True,
    etag="e1",
    updated_by="ann",
)
CHANGED = Fail(Code.ABORTED, "ETAG_MISMATCH", "limit set tight has the etag e2, not e1")
ORDER: NewOrder = {
    "account_id": "DEMO",
    "client_order_id": "k1",
    "instrument_id": "AAPL",
    "side": Side.BUY,
    "quantity": 100,
    "order_type": OrderType.LIMIT,
    "price": "200.50",
}


def controls() -> pb.ListControlsResponse:
    control = pb.RiskControl(
        rule_id="max_quantity", limit="max_order_quantity", unit="QUANTITY", applies="INCREASE"
    )
    return pb.ListControlsResponse(controls=[control])


def checked(
    *results: pb.ControlResult, passed: bool = True, session_id: str = "SIM44"
) -> pb.CheckOrderResponse:
    return pb.CheckOrderResponse(
        passed=passed, results=results, largest_quantity="50", session_id=session_id, policy_version="v"
    )


PASSES = pb.ControlResult(rule_id="lot_size", passed=True, mode=pb.LIMIT_MODE_ENFORCE)
FAILS = pb.ControlResult(
    rule_id="max_quantity",
    limit_id="tight",
    limit="50",
    used="0",
    observed="100",
    headroom="50",
    mode=pb.LIMIT_MODE_ENFORCE,
    text="too much",
)
SIZE = pb.SizeOrderResponse(quantity="90", quantity_by_risk="95", quantity_by_limits="90", risk="945")
STATE = pb.GetRiskStateResponse(
    usages=[
        pb.LimitUsage(rule_id="open_orders", limit_id="tight", limit="5", used="2", headroom="3"),
        pb.LimitUsage(rule_id="gross_exposure", limit_id="tight", limit="900"),
    ],
    policy_version="v",
)
DECISION = pb.RiskDecision(
    allowed=False,
    breaches=[common_pb2.Breach(rule_id="max_quantity"), common_pb2.Breach(rule_id="position")],
    policy_version="0123456789abcdef",
)


def answered(router: FakeRouter) -> None:
    router.answers["ListControls"] = [controls()]
    router.answers["ListLimits"] = [
        pb.ListLimitsResponse(limit_sets=[TIGHT], next_page_token="next"),
        pb.ListLimitsResponse(limit_sets=[pb.LimitSet(limit_id="wide")]),
    ]
    router.answers["GetLimits"] = [pb.GetLimitsResponse(limit_set=TIGHT)]
    router.answers["UpdateLimits"] = [pb.UpdateLimitsResponse(limit_set=TIGHT)]
    router.answers["DeleteLimits"] = [pb.DeleteLimitsResponse()]
    router.answers["EnableAgain"] = [pb.EnableAgainResponse(limit_set=TIGHT)]
    router.answers["ImportLimits"] = [pb.ImportLimitsResponse(created_limit_ids=["tight"], unchanged_count=2)]
    router.answers["GetRiskState"] = [STATE]
    router.answers["CheckOrder"] = [checked(PASSES, FAILS, passed=False)]
    router.answers["SizeOrder"] = [SIZE]
    router.answers["ListRiskDecisions"] = [pb.ListRiskDecisionsResponse(decisions=[DECISION])]


ASKED: dict[str, Any] = {
    "ListControls": pb.ListControlsRequest(),
    "ListLimits": pb.ListLimitsRequest(account_ids=["DEMO"], page_size=1, page_token="next"),
    "GetLimits": pb.GetLimitsRequest(limit_id="tight"),
    "UpdateLimits": pb.UpdateLimitsRequest(
        limit_set=TIGHT, update_paths=["mode"], reason="why", must_be_new=True, validate_only=True
    ),
    "DeleteLimits": pb.DeleteLimitsRequest(limit_id="tight", etag="e1", reason="why"),
    "EnableAgain": pb.EnableAgainRequest(limit_id="tight", reason="why"),
    "ImportLimits": pb.ImportLimitsRequest(limit_sets=[TIGHT], reason="why", validate_only=True),
    "GetRiskState": pb.GetRiskStateRequest(scope=DEMO),
    "CheckOrder": pb.CheckOrderRequest(
        order=SubmitOrderRequest(
            account_id="DEMO",
            client_order_id="k1",
            instrument_id="AAPL",
            side=common_pb2.SIDE_BUY,
            quantity="100",
            order_type=common_pb2.ORDER_TYPE_LIMIT,
            price="200.50",
        )
    ),
    "ListRiskDecisions": pb.ListRiskDecisionsRequest(order_id="o1"),
}
ASKED["SizeOrder"] = pb.SizeOrderRequest(
    order=ASKED["CheckOrder"].order, stop_price="190", risk_amount="1000"
)


def events(*sequences: int, upto: int = 0) -> pb.WatchRiskEventsResponse:
    found = [pb.RiskEvent(sequence=n, kind=pb.RISK_EVENT_KIND_REFUSED, order_id=f"o{n}") for n in sequences]
    return pb.WatchRiskEventsResponse(events=found, sequence=upto or sequences[-1])


def cut_off(router: FakeRouter) -> None:
    ending = StreamEnding(reason=STREAM_ENDING_REASON_DRAINING)
    router.risk_watches = [
        [events(upto=4), Fail(Code.UNAVAILABLE)],
        [events(5, 6), Fail(Code.UNAVAILABLE)],
        [events(7), pb.WatchRiskEventsResponse(sequence=7, ending=ending)],
        [events(8, 9), HANG],
    ]
