"""How an order in doubt stands by the word of a person, when its venue does not tell.

It ends the doubt and invents nothing: no fill is booked, and what the venue reports later is applied as ever.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.event import Change, EventKind
from fairlead_server.domain.order import Flag, Order, Terminal
from fairlead_server.domain.reject import Reject, RejectReason, RejectSource
from fairlead_server.domain.standing import end
from fairlead_server.domain.vocabulary import Word


class Verdict(Word):
    STANDS = "STANDS"  # as its facts say
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    DONE_FOR_DAY = "DONE_FOR_DAY"


class Ruling(Struct, frozen=True):
    """``ticket`` is where the reason is written down; ``forced`` where the order need not be in doubt."""

    verdict: Verdict
    reason: str
    ticket: str
    forced: bool = False

    def __str__(self) -> str:
        return f"{self.reason} ({self.ticket})"


def reconciled(order: Order, ruling: Ruling, now: datetime) -> Change:
    flags = order.flags - {Flag.IN_DOUBT}
    if ruling.verdict is Verdict.STANDS:
        return Change(order.next(now, flags=flags), EventKind.RECONCILED, text=str(ruling))
    terminal = end(Terminal(ruling.verdict.value), order.cum_qty)
    after = order.next(now, flags=flags, terminal=terminal, pending=())
    if terminal is not Terminal.REJECTED:
        return Change(after, EventKind.RECONCILED, text=str(ruling))
    reject = Reject(RejectSource.ADMIN, RejectReason.ADMIN_RECONCILED, str(ruling))
    return Change(replace(after, reject=reject), EventKind.RECONCILED, reject=reject, text=str(ruling))
