"""FIX over TLS between processes: both show certificates, and a broker that shows the wrong one hears no Logon(A)."""

from __future__ import annotations

import asyncio
import json

import pytest
import trustme
from fairlead import AckLevel, NewOrder, OrderState

from tests.system.crowd import order_number
from tests.system.world import PATIENCE, World

ORDER: NewOrder = {**order_number(0), "ack_level": AckLevel.VENUE}


def certificates(world: World) -> None:
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(world.folder / "ca.pem")
    other.cert_pem.write_to_path(world.folder / "other.pem")
    for name, host in (("venue", "localhost"), ("router", "fairlead.example")):
        own = authority.issue_cert(host)
        own.cert_chain_pems[0].write_to_path(world.folder / f"{name}.pem")
        own.private_key_pem.write_to_path(world.folder / f"{name}.key")


def by_tls(world: World, ca_file: str) -> list[str]:
    folder = world.folder
    key, certificate = folder / "router.key", folder / "router.pem"
    tls = f'ca_file = "{folder / ca_file}", cert_file = "{certificate}", key_file = "{key}"'
    return [f'sessions.{name}.tls={{ {tls}, server_name = "localhost" }}' for name in ("SIM44", "SIM42")]


TLS_VENUE = """
tls_cert = "{folder}/venue.pem"
tls_key = "{folder}/venue.key"
tls_client_ca = "{folder}/ca.pem"
"""


async def test_orders_go_over_tls(world: World) -> None:
    certificates(world)
    venue = await world.start_venue(TLS_VENUE.format(folder=world.folder))
    router = await world.start_router(*by_tls(world, "ca.pem"))
    await world.until_serving()

    async with world.client() as client:
        answer = await client.submit_order(**ORDER)
        session = await client.get_session("SIM44")

    assert OrderState(answer.order.state) == OrderState.FILLED
    assert session.tls
    await world.balanced(router, venue)


@pytest.mark.parametrize(
    ("ca_file", "reason"), [("other.pem", "certificate verify failed"), ("ca.pem", "")], ids=["wrong", "none"]
)
async def test_a_broker_that_is_not_the_one_hears_no_logon(world: World, ca_file: str, reason: str) -> None:
    certificates(world)
    await world.start_venue(TLS_VENUE.format(folder=world.folder) if reason else "")
    router = await world.start_router(*by_tls(world, ca_file))

    async with asyncio.timeout(PATIENCE):
        while True:
            code, out, _ = await world.cli("--output", "json", "session", "get", "SIM44")
            shown = json.loads(out)
            if code == 0 and "cannot connect" in shown["state_reason"]:
                break

    assert reason in shown["state_reason"]
    assert not world.journal.exists() or '"A"' not in world.journal.read_text()
    assert await router.stop() == 0
