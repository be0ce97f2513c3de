"""What memory is rebuilt from at start."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

from fairlead_server.domain.amendments import CancelOnDisconnect, MassCancel, RequestRecord
from fairlead_server.domain.exposure import PositionKey
from fairlead_server.domain.order import Order
from fairlead_server.fix.terms import Numbers


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The store at one instant. ``orders`` are the live ones; ``requests`` and ``mass_cancels`` those of the last 24 hours."""

    log_epoch: int  # made with the store: a cursor from another store does not fit
    secret: bytes  # made with the store: signs cursors
    head: int
    counters: dict[str, int]
    orders: list[Order]
    requests: list[RequestRecord]
    mass_cancels: list[MassCancel]
    trade_sessions: list[CancelOnDisconnect]  # those that are armed
    positions: list[tuple[PositionKey, Decimal]]
    sessions: dict[str, Numbers]
    stopped: dict[str, str]  # why, by session_id; those that run are not in it
    client_keys: set[int]  # of all orders ever


def client_key(account_id: str, client_order_id: str) -> int:
    """64 bits of the pair, signed as a BIGINT. Absent: there is no such order. Present: nearly always there is.

    Half of a million keys collide with odds of 1 in 30 million, so whoever finds one asks the store for the order.
    """
    text = f"{len(account_id)}:{account_id}{client_order_id}"  # no two pairs give one text
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)
