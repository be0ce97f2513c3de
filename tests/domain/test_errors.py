"""Each error says its facts in one line, and keeps them for whoever maps it to a status."""

from __future__ import annotations

import pytest
from fairlead_server.domain import errors

from tests.domain.builders import LATER, NOW

SAID = [
    (
        errors.InvalidRequest([("quantity", "is missing"), ("price", "is not a decimal")]),
        "quantity: is missing; price: is not a decimal",
    ),
    (errors.UnknownOrder("O1"), "no order O1"),
    (errors.UnknownSession("BROKER"), "no session BROKER"),
    (errors.UnknownInstrument("ACME"), "no instrument ACME"),
    (errors.InstrumentExists("ACME", "ACME", "ACM"), "instrument ACME exists, and is another"),
    (errors.InstrumentExists("NEW", "ACME", "ACM"), "instrument NEW has the symbol ACM of ACME"),
    (
        errors.InstrumentInUse("ACME"),
        "instrument ACME has live orders, or a position in it is open",
    ),
    (
        errors.InstrumentConfigured("ACME"),
        "instrument ACME is of the instruments file; take it out there and reload",
    ),
    (errors.InstrumentsInvalid([(3, "symbol", "is missing")]), "line 3: symbol: is missing"),
    (errors.InstrumentsInvalid([(3, "symbol", "x"), (4, "", "y")]), "line 3: symbol: x (and 1 more)"),
    (errors.UnknownCalendar("XNYS"), "no calendar XNYS"),
    (
        errors.CalendarInUse("XNYS", ["A", "B", "C", "D"]),
        "calendar XNYS is that of 4 instruments: A, B, C",
    ),
    (
        errors.CalendarConfigured("XNYS"),
        "calendar XNYS is of the configuration file; take it out there and reload",
    ),
    (errors.UnknownBackup("B1"), "no backup B1"),
    (
        errors.PriceOutdated("ACME", NOW, LATER),
        "the price of ACME is of 2026-11-20T15:00:00+00:00, and one of 2026-11-20T15:05:00+00:00 is known",
    ),
    (
        errors.ClientOrderIdConflict("c1", "O1", ["side", "price"]),
        "client_order_id c1 is order O1, which differs in side, price",
    ),
    (errors.RequestIdConflict("r1", "O1"), "request_id r1 was used for another request, on order O1"),
    (errors.VersionMismatch("O1", 3, 4), "order O1 is at version 4, not 3"),
    (errors.NotInDoubt("O1", "WORKING", sent=True), "order O1 is WORKING and is not in doubt"),
    (
        errors.NotInDoubt("O1", "PENDING_NEW", sent=False),
        "order O1 is PENDING_NEW and was never sent; cancel it",
    ),
    (errors.BatchStopped(3), "not attempted: item 3 has failed"),
    (errors.BatchNotPassed(3), "not attempted: item 3 does not pass"),
    (errors.RequestIdConflict("R1", ""), "request_id R1 was used for another request"),
    (errors.UnknownLimitSet("day"), "no limit set day"),
    (
        errors.LimitSetFixed("file:DEMO"),
        "limit set file:DEMO is of the configuration file; set one of another name, with override to loosen it",
    ),
    (
        errors.EtagMismatch("limit set", "day", "abc", ""),
        "limit set day has the etag of nothing, not abc",
    ),
    (errors.OrderTerminal("O1", "FILLED"), "order O1 has ended: it is FILLED"),
    (errors.ActionPending("O1", "CANCEL"), "order O1 has a pending CANCEL"),
    (errors.CapabilityMissing("BROKER", "post_only"), "session BROKER cannot do post_only"),
    (errors.VenueUnavailable("BROKER", NOW), "session BROKER is down since 2026-11-20T15:00:00Z"),
    (errors.VenueUnavailable("BROKER", None), "session BROKER is down and has not been up yet"),
    (errors.SessionConnected("BROKER"), "session BROKER is connected; stop it first"),
    (
        errors.SessionNumbersMoved("BROKER", 12, 40, 13, 41),
        "session BROKER expects 13 and sends 41 next, not 12 and 40",
    ),
    (errors.ConfigInvalid("router.toml", "sessions.A", "no host"), "router.toml: sessions.A: no host"),
    (errors.ConfigInvalid("", "", "no file"), "no file"),
    (errors.UnknownDeadManSwitch("everything"), "no dead man's switch is armed for everything"),
    (errors.LiveNotRequested("account_id=A"), "nobody has asked for account_id=A to trade live"),
    (errors.UnknownFlatten("F1"), "no flatten F1"),
    (errors.KillSwitchOn("everything"), "the kill switch is on for everything; release it first"),
    (errors.KillSwitchOff("account_id=A"), "no kill switch is on for account_id=A"),
    (
        errors.AnotherPersonNeeded("release", "ann"),
        "to release takes another person, who gives a name: this was ann",
    ),
    (
        errors.AnotherPersonNeeded("release", ""),
        "to release takes another person, who gives a name: this was somebody without a name",
    ),
    (errors.NotRoutedInTime(), "the time to route the order by had passed; no order was created"),
    (errors.StoreUnavailable(), "the store does not take writes; nothing was acknowledged or sent"),
    (errors.StreamReplaced("key"), "another stream has taken over session key"),
    (
        errors.NotStorable("order O1"),
        "order O1 cannot be made durable and was given up; the router's log says why",
    ),
    (errors.Draining(), "the server is shutting down"),
]


@pytest.mark.parametrize(("error", "text"), SAID, ids=lambda value: type(value).__name__)
def test_an_error_says_its_facts(error: errors.RouterError, text: str) -> None:
    assert str(error) == text


def test_every_error_is_in_this_list() -> None:
    assert {type(error) for error, _ in SAID} == set(errors.RouterError.__subclasses__())


def test_lists_of_facts_are_kept_as_they_were_told() -> None:
    names = ["side"]
    conflict = errors.ClientOrderIdConflict("c1", "O1", names)
    names.append("price")

    assert conflict.differing_fields == ("side",)
    assert errors.InvalidRequest([("a", "b")]).violations == (("a", "b"),)
