"""Every race of :mod:`tests.interop.quickfix_broker.races` in every version: exactly these events, and books that agree.

A line is an event: its kind, the order's state, CumQty of OrderQty, LeavesQty, then what there is of: pending action,
flags, "unsolicited", "late".
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import pytest
from fairlead import AsyncClient, ClientOrder, ExecutionKind, OrderState, OrderType, Side, StartPosition
from fairlead.v1.common_pb2 import Order, PendingAction
from fairlead.v1.execution_service_pb2 import ExecutionEvent
from fairlead.values import Amendment

from tests.interop.basket import SESSIONS
from tests.interop.market import Market
from tests.interop.quickfix_broker.races import BY_PHONE
from tests.interop.quickfix_broker.races import RACES as PLAYED

_PATIENCE = 60.0  # seconds
_FLAGS = ("in_doubt", "overfilled", "busted", "stopped", "external")
CANCEL: Literal["cancel"] = "cancel"
TWO: Sequence[Amendment] = ({"quantity": "80"}, {"quantity": "70"})


@dataclass(frozen=True, slots=True)
class Race:
    """``does`` is what the client asks when it sees an event of the kind ``after``: a cancel, or amends all at once."""

    expect: Sequence[str]
    does: Literal["cancel"] | Sequence[Amendment] = ()
    after: str = "VENUE_ACCEPTED"


def begun(*more: str) -> list[str]:
    return ["ACCEPTED PENDING_NEW 0/100 100 NEW", "ROUTED PENDING_NEW 0/100 100 NEW", *more]


def working(*more: str) -> list[str]:
    return begun("VENUE_ACCEPTED WORKING 0/100 100", *more)


PART = "PARTIALLY_FILLED"
SMALLER: Sequence[Amendment] = ({"quantity": "80"},)
LARGER: Sequence[Amendment] = ({"quantity": "150"},)
_FILLED_30 = f"FILLED {PART} 30/100 70"
_ASKED_CANCEL = ("CANCEL_REQUESTED WORKING 0/100 100 CANCEL", "CANCEL_PENDING WORKING 0/100 100 CANCEL")
_ASKED_AMEND = ("AMEND_REQUESTED WORKING 0/100 100 AMEND", "AMEND_PENDING WORKING 0/100 100 AMEND")
_CROSSED_BY_60 = (
    "AMEND_REQUESTED WORKING 0/100 100 AMEND",
    f"FILLED {PART} 60/100 40 AMEND",
    f"AMEND_PENDING {PART} 60/100 40 AMEND",
)

RACES = {
    "ACKCROSS": Race(
        begun(
            "CANCEL_REQUESTED PENDING_NEW 0/100 100 CANCEL",
            "VENUE_ACCEPTED WORKING 0/100 100 CANCEL",
            "CANCEL_PENDING WORKING 0/100 100 CANCEL",
            "CANCELED CANCELED 0/100 0",
        ),
        CANCEL,
        after="ROUTED",
    ),
    "FILLCXL": Race(
        working(*_ASKED_CANCEL, f"{_FILLED_30} CANCEL", "CANCELED CANCELED 30/100 0"),
        CANCEL,
    ),
    "TOOLATE": Race(
        working(*_ASKED_CANCEL, "FILLED FILLED 100/100 0 CANCEL", "CANCEL_REJECTED FILLED 100/100 0"),
        CANCEL,
    ),
    "UNKNOWN": Race(
        working(
            "CANCEL_REQUESTED WORKING 0/100 100 CANCEL",
            "CANCEL_REJECTED WORKING 0/100 100 IN_DOUBT",
            "RECONCILED WORKING 0/100 100",
        ),
        CANCEL,
    ),
    "LATEFILL": Race(
        working(*_ASKED_CANCEL, "CANCELED CANCELED 0/100 0", "FILLED CANCELED 40/100 0 late"),
        CANCEL,
    ),
    "LATEFULL": Race(
        working(*_ASKED_CANCEL, "CANCELED CANCELED 0/100 0", "FILLED FILLED 100/100 0 late"),
        CANCEL,
    ),
    "ABOVE": Race(working(*_CROSSED_BY_60, f"AMENDED {PART} 60/80 20"), SMALLER),
    "BELOW": Race(working(*_CROSSED_BY_60, "AMENDED FILLED 60/60 0"), ({"quantity": "50"},)),
    "PENDREJ": Race(working(*_ASKED_AMEND, "AMEND_REJECTED WORKING 0/100 100"), SMALLER),
    "OLDNAME": Race(working(*_ASKED_AMEND, f"{_FILLED_30} AMEND", f"AMENDED {PART} 30/150 120"), LARGER),
    "RENAMED": Race(working(*_ASKED_AMEND, "AMENDED WORKING 0/150 150", f"FILLED {PART} 30/150 120"), LARGER),
    "SERIAL": Race(
        working(
            "AMEND_REQUESTED WORKING 0/100 100 AMEND",
            *_ASKED_AMEND,
            "AMENDED WORKING 0/80 80 AMEND",
            "AMEND_REQUESTED WORKING 0/80 80 AMEND",
            "AMEND_PENDING WORKING 0/80 80 AMEND",
            "AMENDED WORKING 0/70 70",
        ),
        TWO,
    ),
    "FILLFIRST": Race(begun("FILLED FILLED 100/100 0")),
    "OVERFILL": Race(working(f"FILLED {PART} 90/100 10", "FILLED FILLED 120/100 0 OVERFILLED")),
    "TWICE": Race(working(_FILLED_30, f"FILLED {PART} 50/100 50")),
    "CONFLICT": Race(working(_FILLED_30, f"EXEC_CONFLICT {PART} 30/100 70", f"FILLED {PART} 50/100 50")),
    "RESEND": Race(working(_FILLED_30, f"FILLED {PART} 50/100 50")),
    "CROSSED": Race(
        working(
            f"FILLED {PART} 20/100 80",
            f"RECON_BREAK {PART} 20/100 80",
            f"FILLED {PART} 50/100 50",
            f"RECON_BREAK {PART} 50/100 50",
        )
    ),
    "NAMELESS": Race(
        working(
            _FILLED_30,
            f"CANCEL_REQUESTED {PART} 30/100 70 CANCEL",
            f"CANCEL_PENDING {PART} 30/100 70 CANCEL",
            "CANCELED CANCELED 30/100 0",
        ),
        CANCEL,
        after="FILLED",
    ),
    "WRONGCUM": Race(working(_FILLED_30, f"RECON_BREAK {PART} 30/100 70", f"FILLED {PART} 50/100 50")),
    BY_PHONE: Race(working()),
    "BUST": Race(working(_FILLED_30, f"FILLED {PART} 50/100 50", f"TRADE_BUSTED {PART} 20/100 80 BUSTED")),
    "BUSTFULL": Race(working("FILLED FILLED 100/100 0", "TRADE_BUSTED WORKING 0/100 100 BUSTED")),
    "BUSTFIRST": Race(
        working(
            "RESTATED WORKING 0/100 100",
            "RESTATED WORKING 0/100 100 BUSTED",
            "RECON_BREAK WORKING 0/100 100 BUSTED",
        )
    ),
    "CORRECT": Race(working(_FILLED_30, f"TRADE_CORRECTED {PART} 40/100 60")),
    "CORRBUST": Race(
        working(
            _FILLED_30,
            f"TRADE_CORRECTED {PART} 40/100 60",
            "TRADE_BUSTED WORKING 0/100 100 BUSTED",
        )
    ),
    "UNSOLICIT": Race(working(_FILLED_30, "CANCELED CANCELED 30/100 0 unsolicited")),
    "RESTATE": Race(working("RESTATED WORKING 0/60 60")),
    "DONE": Race(working(_FILLED_30, "DONE_FOR_DAY DONE_FOR_DAY 30/100 0")),
    "EXPIRE": Race(working(_FILLED_30, "EXPIRED EXPIRED 30/100 0")),
    "SUSPEND": Race(working("SUSPENDED SUSPENDED 0/100 100", _FILLED_30)),
    "STOPPED": Race(working("RESTATED WORKING 0/100 100 STOPPED", "FILLED FILLED 100/100 0 STOPPED")),
    "PENDNEW": Race(begun("VENUE_PENDING PENDING_NEW 0/100 100 NEW", "VENUE_ACCEPTED WORKING 0/100 100")),
    "REFUSED": Race(begun("VENUE_PENDING PENDING_NEW 0/100 100 NEW", "VENUE_REJECTED REJECTED 0/100 0")),
}
CHAINED = {
    "CHAIN": Race(
        working(
            "AMEND_REQUESTED WORKING 0/100 100 AMEND",
            *_ASKED_AMEND,
            "AMENDED WORKING 0/80 80 AMEND",
            "AMEND_PENDING WORKING 0/80 80 AMEND",
            "AMENDED WORKING 0/70 70",
        ),
        TWO,
    ),
    "CHAINREJ": Race(
        working(
            "AMEND_REQUESTED WORKING 0/100 100 AMEND",
            *_ASKED_AMEND,
            "AMEND_REJECTED WORKING 0/100 100 AMEND",
            "AMENDED WORKING 0/80 80",
        ),
        TWO,
    ),
}


@dataclass
class Track:
    """The races of one market, as the stream tells them."""

    client: AsyncClient
    races: Mapping[ClientOrder, Race]
    lines: dict[ClientOrder, list[str]] = field(default_factory=dict)
    external: list[str] = field(default_factory=list)

    async def follow(self) -> None:
        """Until each has told as much as it should; what comes beyond that, the audit's second look finds."""
        waiting = {ref for ref, race in self.races.items() if race.does}
        async with self.client.subscribe(position=StartPosition.EARLIEST) as subscription:
            async for event in subscription:
                ref = ClientOrder(event.order.account_id, event.order.client_order_id)
                if ref in self.races:
                    self.lines.setdefault(ref, []).append(line(event))
                else:
                    self.external.append(line(event))
                if ref in waiting and ExecutionKind(event.kind).name == self.races[ref].after:
                    waiting.remove(ref)
                    await self._ask(ref, self.races[ref].does)
                if self._told():
                    return

    def _told(self) -> bool:
        by_phone = sum(1 for ref in self.races if ref.client_order_id == BY_PHONE)
        return len(self.external) >= by_phone and all(
            len(self.lines.get(ref, ())) >= len(race.expect) for ref, race in self.races.items()
        )

    async def _ask(self, ref: ClientOrder, does: Literal["cancel"] | Sequence[Amendment]) -> None:
        if does == CANCEL:
            await self.client.cancel_order(ref)
        else:
            await self.client.batch_amend_orders([(ref, amend) for amend in does])


async def run(market: Market, races: Mapping[str, Race]) -> None:
    refs = {ClientOrder(account, symbol): race for symbol, race in races.items() for account in SESSIONS}
    for ref in refs:
        answer = await market.desk.client.submit_order(
            account_id=ref.account_id,
            client_order_id=ref.client_order_id,
            instrument_id=ref.client_order_id,
            side=Side.BUY,
            quantity=100,
            order_type=OrderType.LIMIT,
            price="50",
        )
        market.desk.told[ref] = answer.order.order_id
    track = Track(market.desk.client, refs)
    with suppress(TimeoutError):  # what is missing is shown below
        async with asyncio.timeout(_PATIENCE):
            await track.follow()

    told = {ref: [line(e) async for e in market.desk.client.list_order_events(ref)] for ref in refs}
    wrong = {ref: lines for ref, lines in told.items() if lines != list(refs[ref].expect)}
    assert wrong == {}
    assert set(track.external) <= {"ORPHAN_EXECUTION FILLED 100/100 0 EXTERNAL"}


def line(event: ExecutionEvent) -> str:
    order = event.order
    words = [
        ExecutionKind(event.kind).name,
        OrderState(order.state).name,
        f"{order.cum_quantity}/{order.quantity}",
        order.leaves_quantity,
        *_beside(order),
    ]
    words += [word for word in ("unsolicited", "late") if getattr(event, word)]
    return " ".join(words)


def _beside(order: Order) -> Iterable[str]:
    pending = PendingAction.Name(order.pending_action).removeprefix("PENDING_ACTION_")
    return [
        *([pending] if pending != "NONE" else []),
        *(flag.upper() for flag in _FLAGS if getattr(order, flag)),
    ]


def test_no_race_is_left_out() -> None:
    assert RACES.keys() | CHAINED.keys() == PLAYED.keys()


async def test_every_race_is_told_as_it_happened(market: Market) -> None:
    await run(market, RACES)

    await market.agrees(alarms=True)


class TestChained:
    @pytest.fixture
    def settings(self) -> dict[str, str]:
        return {"resend_stale_ms": "600000", "chain_mode": "chained"}

    async def test_two_replaces_are_in_flight(self, market: Market) -> None:
        await run(market, CHAINED)

        await market.agrees()
