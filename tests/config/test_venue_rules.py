"""What a venue does with orders, as it is configured, and what is wrong with it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from fairlead_server.domain.terms import OrderType, TimeInForce
from fairlead_server.domain.venue_rules import (
    Capabilities,
    ChainMode,
    ExecIdScope,
    ReplaceQuantity,
    VenueRules,
)

from tests.config.test_sessions import WHERE, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_venue_that_says_nothing_is_asked_after_5_and_doubted_after_30_seconds(desk: Desk) -> None:
    rules = desk.load(WHERE).rules
    assert rules == VenueRules(timedelta(seconds=5), timedelta(seconds=30), mass_status=False)


def test_each_rule_has_its_key(desk: Desk) -> None:
    rules = desk.load(f"{WHERE}inflight_warn_ms = 0\ninflight_alarm_ms = 250\nmass_status = true").rules
    assert rules == VenueRules(timedelta(), timedelta(milliseconds=250), mass_status=True)
    rules = desk.load(
        f'{WHERE}chain_mode = "accepted"\nreplace_qty = "working"\nallow_replace_filled = true'
    ).rules
    assert (rules.chain_mode, rules.replace_quantity) == (ChainMode.ACCEPTED, ReplaceQuantity.WORKING)
    assert rules.replace_filled
    assert desk.load(f"{WHERE}mass_cancel = true").rules == VenueRules(mass_cancel=True)
    assert desk.load(f"{WHERE}dont_know_trade = true").rules == VenueRules(dont_know_trade=True)


@pytest.mark.parametrize("scope", ExecIdScope)
def test_an_exec_id_has_its_scope(desk: Desk, scope: ExecIdScope) -> None:
    rules = desk.load(f'{WHERE}exec_id_scope = "{scope.value.lower()}"').rules
    assert rules == VenueRules(exec_id_scope=scope)


def test_what_a_venue_takes_is_a_table(desk: Desk) -> None:
    table = (
        'order_types = ["LIMIT"]\ntimes_in_force = ["DAY", "IOC"]\namend = false\ndisplay_quantity = false'
    )
    found = desk.load(f"{WHERE}[sessions.A.capabilities]\n{table}").rules.capabilities
    day_or_now = frozenset({TimeInForce.DAY, TimeInForce.IOC})
    assert found == Capabilities(
        frozenset({OrderType.LIMIT}), day_or_now, amend=False, display_quantity=False
    )


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("inflight_alarm_ms = 5000", "inflight_alarm_ms", "must be above inflight_warn_ms, 5000"),
        ('chain_mode = "free"', "chain_mode", "free"),
        ('exec_id_scope = "week"', "exec_id_scope", "week"),
        ('capabilities = { order_types = ["PEGGED"] }', "capabilities.order_types[0]", "PEGGED"),
        ("inflight_warn_ms = -1", "inflight_warn_ms", "Expected int >= 0"),
        ("inflight_warn_ms = 0\nmass_cancel = true", "mass_cancel", "needs inflight_warn_ms above 0"),
    ],
)
def test_what_cannot_be_is_refused(desk: Desk, text: str, key: str, problem: str) -> None:
    error = desk.error(f"{WHERE}{text}")
    assert error.key == f"sessions.A.{key}"
    assert problem in error.problem


@pytest.mark.parametrize(
    ("key", "lacks"),
    [("mass_status", "OrderMassStatusRequest(AF)"), ("mass_cancel", "OrderMassCancelRequest(q)")],
)
def test_a_version_without_mass_requests_cannot_have_them(desk: Desk, key: str, lacks: str) -> None:
    error = desk.error(f"{WHERE}{key} = true\n[sessions.B]\n{OLD}{key} = true\n{WHERE}")
    assert error.key == f"sessions.B.{key}"
    assert error.problem == f"FIX.4.2 has no {lacks}; it came with FIX.4.3"


OLD = """\
begin_string = "FIX.4.2"
sender_comp_id = "FAIRLEAD"
target_comp_id = "OLD"
default_account = "DEMO"
"""
