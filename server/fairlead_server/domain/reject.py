"""Why an order, an amend or a cancel was turned down: a value, kept with the order, never an exception."""

from __future__ import annotations

from dataclasses import dataclass

from fairlead_server.domain.vocabulary import Word


class RejectSource(Word):
    ROUTER = "ROUTER"
    RISK = "RISK"
    VENUE = "VENUE"
    ADMIN = "ADMIN"


class RejectReason(Word):
    """The names are the API's; those of the venue mirror OrdRejReason(103) and CxlRejReason(102)."""

    RISK_LIMIT_MISSING = "RISK_LIMIT_MISSING"
    RISK_KILL_SWITCH = "RISK_KILL_SWITCH"
    RISK_UNKNOWN_INSTRUMENT = "RISK_UNKNOWN_INSTRUMENT"
    RISK_INSTRUMENT_HALTED = "RISK_INSTRUMENT_HALTED"
    RISK_SYMBOL_BLOCKED = "RISK_SYMBOL_BLOCKED"
    RISK_MARKET_CLOSED = "RISK_MARKET_CLOSED"
    RISK_PRICE_REQUIRED = "RISK_PRICE_REQUIRED"
    RISK_PRICE_NOT_ALLOWED = "RISK_PRICE_NOT_ALLOWED"
    RISK_STOP_PRICE_REQUIRED = "RISK_STOP_PRICE_REQUIRED"
    RISK_STOP_PRICE_NOT_ALLOWED = "RISK_STOP_PRICE_NOT_ALLOWED"
    RISK_INVALID_QUANTITY = "RISK_INVALID_QUANTITY"
    RISK_QUANTITY_BELOW_MIN = "RISK_QUANTITY_BELOW_MIN"
    RISK_LOT_SIZE = "RISK_LOT_SIZE"
    RISK_TICK_SIZE = "RISK_TICK_SIZE"
    RISK_MAX_QUANTITY = "RISK_MAX_QUANTITY"
    RISK_MISSING_REFERENCE_PRICE = "RISK_MISSING_REFERENCE_PRICE"
    RISK_STALE_REFERENCE_PRICE = "RISK_STALE_REFERENCE_PRICE"
    RISK_MAX_NOTIONAL = "RISK_MAX_NOTIONAL"
    RISK_OPEN_ORDER_COUNT = "RISK_OPEN_ORDER_COUNT"
    RISK_POSITION_LIMIT = "RISK_POSITION_LIMIT"
    RISK_DUPLICATE_ORDER = "RISK_DUPLICATE_ORDER"

    VENUE_BROKER_OPTION = "VENUE_BROKER_OPTION"
    VENUE_UNKNOWN_SYMBOL = "VENUE_UNKNOWN_SYMBOL"
    VENUE_EXCHANGE_CLOSED = "VENUE_EXCHANGE_CLOSED"
    VENUE_EXCEEDS_LIMIT = "VENUE_EXCEEDS_LIMIT"
    VENUE_TOO_LATE_TO_ENTER = "VENUE_TOO_LATE_TO_ENTER"
    VENUE_UNKNOWN_ORDER = "VENUE_UNKNOWN_ORDER"
    VENUE_DUPLICATE_ORDER = "VENUE_DUPLICATE_ORDER"
    VENUE_DUPLICATE_VERBAL_ORDER = "VENUE_DUPLICATE_VERBAL_ORDER"
    VENUE_STALE_ORDER = "VENUE_STALE_ORDER"
    VENUE_TRADE_ALONG_REQUIRED = "VENUE_TRADE_ALONG_REQUIRED"
    VENUE_INVALID_INVESTOR_ID = "VENUE_INVALID_INVESTOR_ID"
    VENUE_UNSUPPORTED_CHARACTERISTIC = "VENUE_UNSUPPORTED_CHARACTERISTIC"
    VENUE_SURVEILLANCE_OPTION = "VENUE_SURVEILLANCE_OPTION"
    VENUE_INCORRECT_QUANTITY = "VENUE_INCORRECT_QUANTITY"
    VENUE_INCORRECT_ALLOCATED_QUANTITY = "VENUE_INCORRECT_ALLOCATED_QUANTITY"
    VENUE_UNKNOWN_ACCOUNT = "VENUE_UNKNOWN_ACCOUNT"
    VENUE_PRICE_BAND = "VENUE_PRICE_BAND"
    VENUE_INVALID_PRICE_INCREMENT = "VENUE_INVALID_PRICE_INCREMENT"
    VENUE_OTHER = "VENUE_OTHER"
    VENUE_CANCEL_TOO_LATE = "VENUE_CANCEL_TOO_LATE"
    VENUE_CANCEL_UNKNOWN_ORDER = "VENUE_CANCEL_UNKNOWN_ORDER"
    VENUE_CANCEL_BROKER_OPTION = "VENUE_CANCEL_BROKER_OPTION"
    VENUE_CANCEL_ALREADY_PENDING = "VENUE_CANCEL_ALREADY_PENDING"
    VENUE_CANCEL_MASS_CANCEL_UNABLE = "VENUE_CANCEL_MASS_CANCEL_UNABLE"
    VENUE_CANCEL_MOD_TIME_MISMATCH = "VENUE_CANCEL_MOD_TIME_MISMATCH"
    VENUE_CANCEL_DUPLICATE_CL_ORD_ID = "VENUE_CANCEL_DUPLICATE_CL_ORD_ID"
    VENUE_CANCEL_PRICE_EXCEEDS_CURRENT = "VENUE_CANCEL_PRICE_EXCEEDS_CURRENT"
    VENUE_CANCEL_PRICE_BAND = "VENUE_CANCEL_PRICE_BAND"
    VENUE_CANCEL_INVALID_PRICE_INCREMENT = "VENUE_CANCEL_INVALID_PRICE_INCREMENT"
    VENUE_CANCEL_OTHER = "VENUE_CANCEL_OTHER"
    VENUE_SESSION_REJECT = "VENUE_SESSION_REJECT"
    VENUE_BUSINESS_REJECT = "VENUE_BUSINESS_REJECT"

    ROUTER_NO_ROUTE = "ROUTER_NO_ROUTE"
    ROUTER_SESSION_LOST = "ROUTER_SESSION_LOST"
    ROUTER_ORDER_TERMINAL = "ROUTER_ORDER_TERMINAL"


@dataclass(frozen=True, slots=True)
class Breach:
    """One control that an order would break. ``limit`` and ``observed`` are text: each control has its own unit."""

    rule_id: str
    reason: RejectReason
    text: str
    limit: str = ""
    observed: str = ""


@dataclass(frozen=True, slots=True)
class VenueReject:
    """The refusal as the venue sent it: MsgType(35), Text(58) and the one reason code that the message has."""

    msg_type: str
    text: str = ""
    ord_rej_reason: int | None = None  # OrdRejReason(103)
    cxl_rej_reason: int | None = None  # CxlRejReason(102)
    session_reject_reason: int | None = None  # SessionRejectReason(373)
    business_reject_reason: int | None = None  # BusinessRejectReason(380)


@dataclass(frozen=True, slots=True)
class Reject:
    """A refusal. For RISK, ``breaches`` holds every control that failed and the first of them is the reason."""

    source: RejectSource
    reason: RejectReason
    text: str
    breaches: tuple[Breach, ...] = ()
    venue: VenueReject | None = None

    @classmethod
    def by_risk(cls, breaches: tuple[Breach, ...]) -> Reject:
        first = breaches[0]
        return cls(RejectSource.RISK, first.reason, first.text, breaches)
