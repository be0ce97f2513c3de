"""A market to test on: QuickFIX as the broker, the router, and a line between them that can be cut."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fairlead import AsyncClient

from tests.interop import audit
from tests.interop.basket import SESSIONS, Desk
from tests.interop.line import Line
from tests.interop.processes import Broker, Router
from tests.interop.quickfix_broker.orders import FIX_42, FIX_44, FIXT
from tests.interop.quickfix_broker.races import RACES

_EXAMPLES = Path(__file__).parents[2] / "examples"

_CONFIG = """
instruments_file = "instruments.csv"
[store]
url = "set on the command line"
[log]
level = "info"
"""
_SESSION = """
[accounts.{account}]
max_order_quantity = 500
max_order_notional = 1_000_000
max_position = 100_000
max_open_orders = 1000
[sessions.{session}]
{version}
sender_comp_id = "FAIRLEAD"
target_comp_id = "QUICKFIX"
host = "127.0.0.1"
port = {port}
default_account = "{account}"
reconnect_max_seconds = 2
[[routes]]
route_id = "R-{session}"
session_id = "{session}"
accounts = ["{account}"]
"""
_VERSIONS = {
    FIX_42: 'begin_string = "FIX.4.2"',
    FIX_44: 'begin_string = "FIX.4.4"',
    FIXT: 'begin_string = "FIXT.1.1"\ndefault_appl_ver_id = "FIX.5.0SP2"',
}


@dataclass(frozen=True, slots=True)
class Market:
    broker: Broker
    line: Line
    router: Router
    desk: Desk

    async def agrees(self, *, alarms: bool = False) -> None:
        await audit.agree(self.desk, self.router, self.broker, self.line, alarms=alarms)


def _config(port: int) -> str:
    return _CONFIG + "".join(
        _SESSION.format(
            account=account, session=session, version=_VERSIONS[audit.BEGIN_STRINGS[session]], port=port
        )
        for account, session in SESSIONS.items()
    )


@pytest.fixture
def settings() -> dict[str, str]:
    """Of all sessions, beside the usual; orders are sent again however old they are."""
    return {"resend_stale_ms": "600000"}


@pytest.fixture
async def market(tmp_path: Path, settings: dict[str, str]) -> AsyncIterator[Market]:
    python = os.environ.get("QUICKFIX_PYTHON")
    if not python:
        pytest.skip("no QuickFIX here; make interop installs it and says where it cannot")
    broker = Broker(python, tmp_path / "broker")
    line = Line(broker.port)
    config = tmp_path / "fairlead.toml"
    raced = "".join(f"{symbol},{symbol},USD,0.01,1,50.00\n" for symbol in RACES)
    (tmp_path / "instruments.csv").write_text((_EXAMPLES / "instruments.csv").read_text() + raced)
    config.write_text(_config(await line.start()))
    overrides = [
        f"sessions.{name}.{key}={value}" for name in audit.BEGIN_STRINGS for key, value in settings.items()
    ]
    router = Router(config, tmp_path, *overrides)
    try:
        await broker.start()
        await router.start()
        await router.active(*audit.BEGIN_STRINGS)
        async with AsyncClient(router.address) as client:
            yield Market(broker, line, router, Desk(client, router))
    finally:
        await router.ensure_ended()
        await broker.ensure_ended()
        await line.close()
