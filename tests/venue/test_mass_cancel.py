"""One message for many cancels, on a real session: what its broker hears, and what it answers."""

from __future__ import annotations

from uuid import UUID

import pytest
from fairlead_server.domain.amendments import Selection
from fairlead_server.domain.cause import Cause, Initiator
from fairlead_server.domain.mass_scope import MassScope
from fairlead_server.domain.order import Order, OrderState
from fairlead_server.domain.terms import Side
from fairlead_server.domain.venue_rules import VenueRules
from fairlead_server.fix.message import Fields
from fairlead_server.fix.session import Validation
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.store.database import Store
from fairlead_server.venue import outgoing

from tests.domain.builders import NOW
from tests.fix.versions import SPOKEN, problem, spoken
from tests.venue.link import SECOND, Link
from tests.venue.test_unanswered import end, pass_time

ABLE = VenueRules(mass_cancel=True)
WITH_IT = [version for version in SPOKEN if version >= "FIX.4.3"]


async def began(store: Store, version: str = "FIX.4.4", rules: VenueRules = ABLE) -> tuple[Link, list[Order]]:
    """Two working orders."""
    link = Link(store, version, rules=rules, validation=Validation.STRICT)
    await link.up()
    orders = [link.submit(number) for number in range(2)]
    await link.exchange()
    for order in orders:
        link.report(order, "0", (20, "0"), *LEFT) if version < "FIX.4.3" else link.report(order, "0", *LEFT)
    await link.exchange()
    return link, orders


def decide(link: Link) -> None:
    cancels = MassCancels(link.book, link.ledger, link.pipeline, link.entry, lambda _: "MASS-1")
    cancels.cancel(str(UUID(int=1)), Selection(), Cause(Initiator.CLIENT), link.clock.now)


async def cancel_all(link: Link) -> None:
    decide(link)
    await link.exchange()


def report(link: Link, response: str = "7", *more: tuple[int, str]) -> None:
    link.broker.send("r", *answer(link.broker.heard[-1][11], response), *more)


def answer(cl_ord_id: str, response: str) -> Fields:
    return [(11, cl_ord_id), (37, "M1"), (530, "7"), (531, response)]


LEFT = ((38, "100"), (151, "100"), (14, "0"), (6, "0"))
GONE = ((39, "4"), (38, "100"), (151, "0"), (14, "0"), (6, "0"))


@pytest.mark.parametrize("version", WITH_IT)
@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (MassScope(), "530=7"),
        (MassScope(side=Side.SELL), "530=7|54=2"),
        (MassScope("ACME"), "530=1|55=ACME"),
        (MassScope("ACME", Side.SELL_SHORT), "530=1|55=ACME|54=5"),
    ],
)
def test_it_says_what_it_is_for_in_words_that_please_a_strict_peer(
    version: str, scope: MassScope, said: str
) -> None:
    fields = outgoing.order_mass_cancel_request(scope, "X", spoken(version), NOW)
    assert problem(version, "q", fields) is None
    assert "|".join(f"{tag}={value}" for tag, value in fields) == f"11=X|{said}|60=20261120-15:00:00.000"


@pytest.mark.parametrize("version", ["FIX.4.3", "FIX.4.4"])
async def test_the_report_and_then_each_order_tells_of_its_end(store: Store, version: str) -> None:
    link, orders = await began(store, version)
    await cancel_all(link)
    assert link.broker.heard_types() == ["D", "D", "q"]
    asked = link.broker.heard[-1]
    assert (asked[530], asked[11] in {order.cl_ord_id for order in orders}) == ("7", False)
    report(link)
    for order in orders:
        link.report(order, "4", *GONE)
    await link.exchange()
    assert [link.now(order).state for order in orders] == [OrderState.CANCELED] * 2
    assert [link.now(order).pending for order in orders] == [(), ()]
    await pass_time(link, 20)
    assert link.broker.heard_types() == ["D", "D", "q"]
    await end(link)


@pytest.mark.parametrize("version", ["FIX.4.0", "FIX.4.2"])
async def test_a_version_that_has_no_word_for_it_cancels_singly(store: Store, version: str) -> None:
    link, _ = await began(store, version) if version == "FIX.4.2" else await old(store)
    await cancel_all(link)
    assert link.broker.heard_types() == ["D", "D", "F", "F"]
    assert not [
        kind for kind in link.broker.wire_types if kind.startswith("q")
    ]  # else a strict one rejects it
    await end(link)


async def old(store: Store) -> tuple[Link, list[Order]]:
    """FIX.4.0, whose reports look different; its orders are live without any."""
    link = Link(store, "FIX.4.0", rules=ABLE)
    await link.up()
    orders = [link.submit(number) for number in range(2)]
    await link.exchange()
    return link, orders


@pytest.mark.parametrize("refusal", ["r", "j", "j by its name", "3", "3 without a type"])
async def test_however_it_is_refused_each_order_is_cancelled_by_itself(store: Store, refusal: str) -> None:
    link, orders = await began(store)
    await cancel_all(link)
    asked = link.broker.heard[-1]
    number = (45, str(asked.msg_seq_num))
    refusals: dict[str, tuple[str, Fields]] = {
        "r": ("r", [*answer(asked[11], "0"), (532, "0"), (58, "not today")]),
        "j": ("j", [number, (372, "q"), (380, "3")]),
        "j by its name": ("j", [(372, "q"), (379, asked[11]), (380, "3")]),
        "3": ("3", [number, (372, "q"), (373, "11")]),
        "3 without a type": ("3", [number, (373, "11")]),
    }
    msg_type, fields = refusals[refusal]
    link.venue.received(link.by_hand(msg_type, fields))
    await link.exchange()
    assert link.broker.heard_types() == ["D", "D", "q", "F", "F"]
    assert {heard[41] for heard in link.broker.heard[-2:]} == {order.cl_ord_id for order in orders}
    await end(link)


async def test_silence_is_ended_by_single_cancels_by_the_timer_alone(store: Store) -> None:
    link, _ = await began(store)
    await cancel_all(link)
    await pass_time(link, 4)
    assert link.broker.heard_types() == ["D", "D", "q"]
    await pass_time(link, 1)
    assert link.broker.heard_types() == ["D", "D", "q", "F", "F"]
    await end(link)


async def test_what_is_left_after_it_was_accepted_is_cancelled_by_the_timer(store: Store) -> None:
    link, orders = await began(store)
    await cancel_all(link)
    await pass_time(link, 3)
    report(link, "7", (533, "1"))
    link.report(orders[0], "4", *GONE)
    await link.exchange()
    await pass_time(link, 4)
    assert link.broker.heard_types() == ["D", "D", "q"]
    await pass_time(link, 1)
    assert link.broker.heard_types() == ["D", "D", "q", "F"]
    await end(link)


async def test_an_unsolicited_report_is_no_answer_to_ours(store: Store) -> None:
    """One without ClOrdID(11) tells of what the venue has done by itself."""
    link, orders = await began(store)
    await cancel_all(link)
    link.broker.send("r", *answer("", "0")[1:], (532, "99"))
    await link.exchange()
    assert link.broker.heard_types() == ["D", "D", "q"]
    assert all(link.now(order).pending for order in orders)
    await end(link)


async def test_what_the_connection_has_lost_is_sent_again_however_old(store: Store) -> None:
    link, orders = await began(store)
    decide(link)
    await link.settle()
    link.wire.take()  # never arrives
    link.cut()
    link.clock.now += 3600 * SECOND
    await link.up()
    assert link.broker.heard_types() == ["D", "D", "q"]
    assert [kind for kind in link.broker.wire_types if kind.startswith("q")] == ["q 5 again"]
    report(link)
    for order in orders:
        link.report(order, "4", *GONE)
    await link.exchange()
    assert [link.now(order).state for order in orders] == [OrderState.CANCELED] * 2
    await end(link)
