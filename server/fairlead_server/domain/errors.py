"""What the caller or the world did wrong. Each keeps its facts and says them; the API maps each to one status.

A refusal by risk or by a venue is not here: it is a :class:`~fairlead_server.domain.reject.Reject`, kept with the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


class RouterError(Exception):
    """None of these has created an order."""


class InvalidRequest(RouterError):
    """Wrong whatever the state of the system. ``violations`` are (field, description)."""

    def __init__(self, violations: Sequence[tuple[str, str]]) -> None:
        self.violations = tuple(violations)
        super().__init__("; ".join(f"{field}: {description}" for field, description in violations))


class UnknownOrder(RouterError):
    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(f"no order {reference}")


class UnknownSession(RouterError):
    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"no session {session_id}")


class UnknownInstrument(RouterError):
    def __init__(self, instrument_id: str) -> None:
        self.instrument_id = instrument_id
        super().__init__(f"no instrument {instrument_id}")


class ClientOrderIdConflict(RouterError):
    """The key is in use for another order."""

    def __init__(self, client_order_id: str, order_id: str, differing_fields: Sequence[str]) -> None:
        self.client_order_id = client_order_id
        self.order_id = order_id
        self.differing_fields = tuple(differing_fields)
        names = ", ".join(differing_fields)
        super().__init__(f"client_order_id {client_order_id} is order {order_id}, which differs in {names}")


class RequestIdConflict(RouterError):
    """The request_id was used for another amend or cancel."""

    def __init__(self, request_id: str, order_id: str) -> None:
        self.request_id = request_id
        self.order_id = order_id
        super().__init__(f"request_id {request_id} was used for another request, on order {order_id}")


class VersionMismatch(RouterError):
    def __init__(self, order_id: str, expected: int, actual: int) -> None:
        self.order_id = order_id
        self.expected = expected
        self.actual = actual
        super().__init__(f"order {order_id} is at version {actual}, not {expected}")


class OrderTerminal(RouterError):
    """An amend came too late."""

    def __init__(self, order_id: str, state: str) -> None:
        self.order_id = order_id
        self.state = state
        super().__init__(f"order {order_id} is {state} and cannot be amended")


class ActionPending(RouterError):
    """One amend at a time: the last one is unanswered, or a cancel is under way."""

    def __init__(self, order_id: str, action: str) -> None:
        self.order_id = order_id
        self.action = action
        super().__init__(f"order {order_id} has a pending {action}")


class CapabilityMissing(RouterError):
    """The venue, or its version of FIX, cannot do it."""

    def __init__(self, session_id: str, capability: str) -> None:
        self.session_id = session_id
        self.capability = capability
        super().__init__(f"session {session_id} cannot do {capability}")


class VenueUnavailable(RouterError):
    """The session is not active; nothing was decided. ``down_since`` is None before its first logon."""

    def __init__(self, session_id: str, down_since: datetime | None) -> None:
        self.session_id = session_id
        self.down_since = down_since
        since = f"since {down_since:%Y-%m-%dT%H:%M:%SZ}" if down_since else "and has not been up yet"
        super().__init__(f"session {session_id} is down {since}")


class NotRoutedInTime(RouterError):
    """The caller's deadline, or route_before, had passed when the order was decided."""

    def __init__(self) -> None:
        super().__init__("the time to route the order by had passed; no order was created")


class StoreUnavailable(RouterError):
    """A commit failed; whatever it held was not acted on."""

    def __init__(self) -> None:
        super().__init__("the store does not take writes; nothing was acknowledged or sent")


class Draining(RouterError):
    def __init__(self) -> None:
        super().__init__("the server is shutting down")
