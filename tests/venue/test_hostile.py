"""Whatever a venue says, in whatever order: the router stands, and memory is what the store would rebuild."""

from __future__ import annotations

import asyncio

from fairlead_server.routing.book import Book
from fairlead_server.store.database import OrderQuery, Store
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.stores import in_memory
from tests.venue.link import SECOND, Link

_TEXT = st.text(st.characters(max_codepoint=255, exclude_characters="\x00\x01\r\n"), min_size=1, max_size=70)
_IDS = st.sampled_from(["1", "2", "NONE", "0"]) | _TEXT
_CL_ORD_IDS = st.sampled_from([f"FL1XV0{n:07}" for n in range(1, 6)]) | _IDS
_AMOUNTS = st.sampled_from(
    ["0", "10", "40.5", "100", "200", "-1", "1e9", "9" * 18, "9" * 30, "0.000000000001"]
)
_FIELDS: dict[int, st.SearchStrategy[str]] = {
    11: _CL_ORD_IDS,
    41: _CL_ORD_IDS,
    37: _IDS,
    17: _IDS,
    19: _IDS,
    1: st.sampled_from(["ACC1", "OTHER"]) | _TEXT,
    55: st.sampled_from(["ACME", "OTHER"]) | _TEXT,
    54: st.sampled_from(list("1258")),
    39: st.sampled_from(list("0123456789ABCE")) | _TEXT,
    150: st.sampled_from(list("0123456789ABCDEFGHIL")) | _TEXT,
    38: _AMOUNTS,
    44: _AMOUNTS,
    32: _AMOUNTS,
    31: _AMOUNTS,
    14: _AMOUNTS,
    151: _AMOUNTS,
    102: st.sampled_from(["0", "1", "99", "x"]),
    103: st.sampled_from(["5", "6", "99", "x"]),
    45: st.sampled_from(["0", "1", "3", "4", "5", "999999999999999999", "-1"]),
    58: _TEXT,
    60: st.sampled_from(["20261120-15:00:00", "00010101-00:00:00", "99991231-23:59:59.999", "now"]),
    372: st.sampled_from(["D", "F", "G", "H"]),
    379: _CL_ORD_IDS,
    380: st.sampled_from(["0", "3", "x"]),
}
_MESSAGES = st.tuples(
    st.sampled_from(["8", "8", "8", "8", "9", "3", "j", "D", "xyz"]),
    st.fixed_dictionaries(
        {150: _FIELDS[150], 11: _CL_ORD_IDS},
        optional={k: v for k, v in _FIELDS.items() if k not in {150, 11}},
    ),
)
_STEPS = st.lists(_MESSAGES | st.sampled_from(["cancel", "cut", "restart"]), min_size=3, max_size=25)


async def _live(store: Store, steps: list[tuple[str, dict[int, str]] | str]) -> None:
    link = Link(store)
    await link.up()
    ours = [link.submit(number) for number in (1, 2)]
    await link.exchange()
    for step in steps:
        if step == "cancel":
            for order in ours:
                if link.now(order).live and not link.now(order).pending:
                    link.cancel(order)
        elif step == "cut":
            link.cut()
            link.clock.now += 2 * SECOND
            await link.up()
        elif step == "restart":
            link.cut()
            await link.pipeline.durable()
            link.load()
            await link.up()
        elif isinstance(step, tuple):
            msg_type, fields = step
            link.venue.received(link.by_hand(msg_type, list(fields.items())))
            # The broker's own session has to know that its number is used.
            link.broker.session._talk.outbox.next_out = link.venue.session.numbers.next_in  # type: ignore[union-attr]
        await link.exchange()
        assert not link.pipeline.broken, link.told
    fresh = Book(store)
    fresh.load(store.load(link.clock.now))
    for order in store.list_orders(OrderQuery()):
        key = order.request.account_id, order.request.instrument_id
        assert link.book.exposures.of(*key) == fresh.exposures.of(*key)
        assert link.now(order) == order
    link.cut()
    await link.pipeline.close()


@settings(max_examples=40)
@given(_STEPS)
@example([("8", {150: "0", 11: "FL1XV00000003", 54: "1"}), "cancel", "restart", "cancel"])
def test_whatever_a_venue_says_the_router_stands(steps: list[tuple[str, dict[int, str]] | str]) -> None:
    with in_memory() as store:
        asyncio.run(_live(store, steps))
