"""The first route that fits takes the order."""

from __future__ import annotations

import pytest
from fairlead_server.domain.routes import Route, choose

from tests.domain.builders import new_order

ONLY_ACME = Route("acme", "S1", instruments=frozenset({"ACME"}))
ONLY_ACC2 = Route("acc2", "S2", accounts=frozenset({"ACC2"}))
BOTH = Route("both", "S3", frozenset({"ACC2"}), frozenset({"ACME"}))
ALL = Route("all", "S4")


@pytest.mark.parametrize(
    ("account_id", "instrument_id", "fitting"),
    [
        ("ACC1", "ACME", [ONLY_ACME, ALL]),
        ("ACC1", "OTHER", [ALL]),
        ("ACC2", "ACME", [ONLY_ACME, ONLY_ACC2, BOTH, ALL]),
        ("ACC2", "OTHER", [ONLY_ACC2, ALL]),
    ],
)
def test_a_route_fits_its_accounts_and_instruments(
    account_id: str, instrument_id: str, fitting: list[Route]
) -> None:
    new = new_order(account_id=account_id, instrument_id=instrument_id)

    assert [route for route in (ONLY_ACME, ONLY_ACC2, BOTH, ALL) if route.fits(new)] == fitting


def test_the_first_that_fits_is_chosen() -> None:
    assert choose([ONLY_ACC2, ALL, ONLY_ACME], new_order()) is ALL


def test_a_route_that_the_client_names_is_taken_or_none() -> None:
    routes = [ALL, ONLY_ACME, ONLY_ACC2]

    assert choose(routes, new_order(route_id="acme")) is ONLY_ACME
    assert choose(routes, new_order(route_id="acc2")) is None
    assert choose(routes, new_order(route_id="nowhere")) is None
    assert choose([], new_order()) is None
