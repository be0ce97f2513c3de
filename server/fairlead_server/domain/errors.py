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


class UnknownLimitSet(RouterError):
    def __init__(self, limit_id: str) -> None:
        self.limit_id = limit_id
        super().__init__(f"no limit set {limit_id}")


class LimitSetFixed(RouterError):
    """It is of the configuration file, and only that can change it."""

    def __init__(self, limit_id: str) -> None:
        self.limit_id = limit_id
        super().__init__(
            f"limit set {limit_id} is of the configuration file; set one of another name, with override to loosen it"
        )


class EtagMismatch(RouterError):
    """What was to be changed has been changed since it was read."""

    def __init__(self, kind: str, name: str, expected: str, actual: str) -> None:
        self.kind = kind
        self.name = name
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"{kind} {name} has the etag {actual or 'of nothing'}, not {expected or 'of nothing'}"
        )


class InstrumentExists(RouterError):
    """``owner`` has that name already, or that symbol."""

    def __init__(self, instrument_id: str, owner: str, symbol: str) -> None:
        self.instrument_id = instrument_id
        self.owner = owner
        self.symbol = symbol
        same = "exists, and is another" if owner == instrument_id else f"has the symbol {symbol} of {owner}"
        super().__init__(f"instrument {instrument_id} {same}")


class InstrumentInUse(RouterError):
    """There are live orders in it, or somebody holds some."""

    def __init__(self, instrument_id: str) -> None:
        self.instrument_id = instrument_id
        super().__init__(f"instrument {instrument_id} has live orders, or a position in it is open")


class InstrumentConfigured(RouterError):
    """It is as the instruments file has it, and only that can take it away."""

    def __init__(self, instrument_id: str) -> None:
        self.instrument_id = instrument_id
        super().__init__(
            f"instrument {instrument_id} is of the instruments file; take it out there and reload"
        )


class InstrumentsInvalid(RouterError):
    """What was to be imported is wrong in these places, (line, column, problem), and nothing of it was taken."""

    def __init__(self, problems: Sequence[tuple[int, str, str]]) -> None:
        self.problems = tuple(problems)
        line, column, problem = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"line {line}: {column}: {problem}{more}")


class UnknownBackup(RouterError):
    def __init__(self, backup_id: str) -> None:
        self.backup_id = backup_id
        super().__init__(f"no backup {backup_id}")


class UnknownCalendar(RouterError):
    def __init__(self, calendar_id: str) -> None:
        self.calendar_id = calendar_id
        super().__init__(f"no calendar {calendar_id}")


class CalendarInUse(RouterError):
    """Without it these instruments would have no hours."""

    def __init__(self, calendar_id: str, instrument_ids: Sequence[str]) -> None:
        self.calendar_id = calendar_id
        self.instrument_ids = tuple(instrument_ids)
        shown = ", ".join(instrument_ids[:3])
        super().__init__(f"calendar {calendar_id} is that of {len(instrument_ids)} instruments: {shown}")


class CalendarConfigured(RouterError):
    """It is as the configuration has it, and only that can take it away."""

    def __init__(self, calendar_id: str) -> None:
        self.calendar_id = calendar_id
        super().__init__(f"calendar {calendar_id} is of the configuration file; take it out there and reload")


class PriceOutdated(RouterError):
    """A later price is known."""

    def __init__(self, instrument_id: str, time: datetime, known_time: datetime) -> None:
        self.instrument_id = instrument_id
        self.time = time
        self.known_time = known_time
        super().__init__(
            f"the price of {instrument_id} is of {time.isoformat()}, and one of {known_time.isoformat()} is known"
        )


class ClientOrderIdConflict(RouterError):
    """The key is in use for another order."""

    def __init__(self, client_order_id: str, order_id: str, differing_fields: Sequence[str]) -> None:
        self.client_order_id = client_order_id
        self.order_id = order_id
        self.differing_fields = tuple(differing_fields)
        names = ", ".join(differing_fields)
        super().__init__(f"client_order_id {client_order_id} is order {order_id}, which differs in {names}")


class RequestIdConflict(RouterError):
    """The request_id was used for another request; ``order_id`` is empty where that was for no single order."""

    def __init__(self, request_id: str, order_id: str) -> None:
        self.request_id = request_id
        self.order_id = order_id
        where = f", on order {order_id}" if order_id else ""
        super().__init__(f"request_id {request_id} was used for another request{where}")


class VersionMismatch(RouterError):
    def __init__(self, order_id: str, expected: int, actual: int) -> None:
        self.order_id = order_id
        self.expected = expected
        self.actual = actual
        super().__init__(f"order {order_id} is at version {actual}, not {expected}")


class OrderTerminal(RouterError):
    """An amend, or a word on how it ended, came too late."""

    def __init__(self, order_id: str, state: str) -> None:
        self.order_id = order_id
        self.state = state
        super().__init__(f"order {order_id} has ended: it is {state}")


class ActionPending(RouterError):
    """No amend behind a cancel that is under way, nor while it is unknown how the order stands."""

    def __init__(self, order_id: str, action: str) -> None:
        self.order_id = order_id
        self.action = action
        super().__init__(f"order {order_id} has a pending {action}")


class NotInDoubt(RouterError):
    """How the order stands is known: there is nothing for a person to settle."""

    def __init__(self, order_id: str, state: str, *, sent: bool) -> None:
        self.order_id = order_id
        self.state = state
        known = "is not in doubt" if sent else "was never sent; cancel it"
        super().__init__(f"order {order_id} is {state} and {known}")


class BatchStopped(RouterError):
    """An earlier item of the batch failed, and the caller wanted to go no further."""

    def __init__(self, failed_index: int) -> None:
        self.failed_index = failed_index
        super().__init__(f"not attempted: item {failed_index} has failed")


class BatchNotPassed(RouterError):
    """The caller wanted every item or none."""

    def __init__(self, failed_index: int) -> None:
        self.failed_index = failed_index
        super().__init__(f"not attempted: item {failed_index} does not pass")


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


class SessionConnected(RouterError):
    """Numbers that a peer is counting along with cannot be replaced."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__(f"session {session_id} is connected; stop it first")


class SessionNumbersMoved(RouterError):
    """Somebody, or the peer, has moved the numbers since the caller looked."""

    def __init__(
        self, session_id: str, expected_in: int, expected_out: int, actual_in: int, actual_out: int
    ) -> None:
        self.session_id = session_id
        self.expected_in, self.expected_out = expected_in, expected_out
        self.actual_in, self.actual_out = actual_in, actual_out
        actual = f"expects {actual_in} and sends {actual_out} next"
        super().__init__(f"session {session_id} {actual}, not {expected_in} and {expected_out}")


class ConfigInvalid(RouterError):
    """What was read cannot be applied, and nothing was. ``key`` is a dotted path, empty for the whole file."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        self.file, self.key, self.problem = file, key, problem
        super().__init__(": ".join(part for part in (file, key, problem) if part))


class UnknownDeadManSwitch(RouterError):
    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__(f"no dead man's switch is armed for {scope}")


class LiveNotRequested(RouterError):
    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__(f"nobody has asked for {scope} to trade live")


class UnknownFlatten(RouterError):
    def __init__(self, flatten_id: str) -> None:
        self.flatten_id = flatten_id
        super().__init__(f"no flatten {flatten_id}")


class KillSwitchOn(RouterError):
    """What a kill switch holds is let go by its release alone."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__(f"the kill switch is on for {scope}; release it first")


class KillSwitchOff(RouterError):
    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__(f"no kill switch is on for {scope}")


class AnotherPersonNeeded(RouterError):
    """Two persons have to agree, each under a name of their own; ``first`` is who has begun."""

    def __init__(self, action: str, first: str) -> None:
        self.action = action
        self.first = first
        who = first or "somebody without a name"
        super().__init__(f"to {action} takes another person, who gives a name: this was {who}")


class NotRoutedInTime(RouterError):
    """The caller's deadline, or route_before, had passed when the order was decided."""

    def __init__(self) -> None:
        super().__init__("the time to route the order by had passed; no order was created")


class StoreUnavailable(RouterError):
    """A commit failed; whatever it held was not acted on."""

    def __init__(self) -> None:
        super().__init__("the store does not take writes; nothing was acknowledged or sent")


class StreamReplaced(RouterError):
    """Another stream has taken over the session."""

    def __init__(self, session_key: str) -> None:
        self.session_key = session_key
        super().__init__(f"another stream has taken over session {session_key}")


class NotStorable(RouterError):
    """A fault of the router."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        super().__init__(f"{origin} cannot be made durable and was given up; the router's log says why")


class Draining(RouterError):
    def __init__(self) -> None:
        super().__init__("the server is shutting down")
