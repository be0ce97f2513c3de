"""What a soak comes down to, counted anew from the store, the simulator's journal and what the clients were told.

Reads all three as they are, with nothing that wrote them. What is lost or doubled has a line each; so has everything else
that `tests.system.books` finds wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from tests.system import books
from tests.system.books import Router, Venue

Key = tuple[str, str]  # account_id, client_order_id


@dataclass(frozen=True)
class Tally:
    kills: int = 0
    orders: int = 0
    fills: int = 0
    lost: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.kills + other.kills,
            self.orders + other.orders,
            self.fills + other.fills,
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.others + other.others,
        )

    def __str__(self) -> str:
        counts = f"kills={self.kills} orders={self.orders} fills={self.fills}"
        return f"{counts} lost={len(self.lost)} doubled={len(self.doubled)}"

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.others)

    def after(self, kills: int, *contradictions: str) -> Tally:
        """With what only those who were there can tell."""
        return replace(self, kills=kills, others=self.others + contradictions)


def counted(store: Path | str, journal: Path, told: Mapping[Key, str]) -> Tally:
    """Of both at rest; ``told`` are the order_ids that clients were given for their keys."""
    router, venue = books.both(store, journal)
    return Tally(
        orders=len(router.orders),
        fills=len(venue.fills),
        lost=tuple(chain(_lost_orders(router, venue, told), _lost_fills(router, venue))),
        doubled=tuple(chain(_doubled_orders(router, venue), _doubled_fills(router, venue))),
        others=tuple(books.compared(router, venue)),
    )


def _lost_orders(router: Router, venue: Venue, told: Mapping[Key, str]) -> Iterator[str]:
    """That the store does not have, whoever says that there are; or that the venue does not have. One line an order."""
    lost = dict[str, str]()
    for key, order_id in told.items():
        row = router.orders.get(order_id)
        if row is None or (row["account_id"], row["client_order_id"]) != key:
            lost[order_id] = f"{key} was acknowledged as {order_id}, which is not in the store"
    at_venue = set[str]()
    for order in venue.orders.values():
        session_id = router.session(order["client"])
        named: set[str] = {
            router.named.get((session_id, name)) or order["order_id"] for name in order["cl_ord_ids"]
        }
        at_venue |= named
        if named.isdisjoint(router.orders) and named.isdisjoint(lost):
            lost[order["order_id"]] = f"the venue's {order['order_id']} is not in the store"
    for order_id in router.orders.keys() - at_venue:
        facts = router.facts[order_id]
        if facts["cl_ord_ids"] and (facts["reject"] or {}).get("reason") != "ROUTER_SESSION_LOST":
            lost[order_id] = f"{order_id} was sent, and the venue does not have it"
    yield from lost.values()


def _doubled_orders(router: Router, venue: Venue) -> Iterator[str]:
    keys = Counter((row["account_id"], row["client_order_id"]) for row in router.orders.values())
    for key, count in keys.items():
        yield from [f"{key} has {count} orders"] * (count - 1)
    received = Counter(
        router.named.get((router.session(client), row["cl_ord_id"]), row["cl_ord_id"])
        for client, rows in venue.received.items()
        for row in rows
        if row["type"] == "D"
    )
    for order_id, count in received.items():
        yield from [f"{order_id} reached the venue {count} times"] * (count - 1)


def _lost_fills(router: Router, venue: Venue) -> Iterator[str]:
    theirs, ours = books.fills(router, venue)
    yield from (f"the venue's fill {fill} is not in the store" for fill in (theirs - ours).elements())


def _doubled_fills(router: Router, venue: Venue) -> Iterator[str]:
    theirs, ours = books.fills(router, venue)
    yield from (f"the store's fill {fill} is one too many" for fill in (ours - theirs).elements())
