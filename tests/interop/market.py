"""A market to test on: QuickFIX as the broker, the router, and a line between them that can be cut."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fairlead import AsyncClient

from tests.interop import audit
from tests.interop.basket import Desk
from tests.interop.line import Line
from tests.interop.processes import Broker, Router

_EXAMPLES = Path(__file__).parents[2] / "examples"

_CONFIG = """
instruments_file = "instruments.csv"
[store]
url = "set on the command line"
[log]
level = "info"
[accounts.A42]
max_order_quantity = 500
max_order_notional = 1_000_000
max_position = 100_000
max_open_orders = 1000
[accounts.A44]
max_order_quantity = 500
max_order_notional = 1_000_000
max_position = 100_000
max_open_orders = 1000
[sessions.QF42]
begin_string = "FIX.4.2"
sender_comp_id = "FAIRLEAD"
target_comp_id = "QUICKFIX"
host = "127.0.0.1"
port = {port}
default_account = "A42"
reconnect_max_seconds = 2
[sessions.QF44]
begin_string = "FIX.4.4"
sender_comp_id = "FAIRLEAD"
target_comp_id = "QUICKFIX"
host = "127.0.0.1"
port = {port}
default_account = "A44"
reconnect_max_seconds = 2
[[routes]]
route_id = "R42"
session_id = "QF42"
accounts = ["A42"]
[[routes]]
route_id = "R44"
session_id = "QF44"
accounts = ["A44"]
"""


@dataclass(frozen=True, slots=True)
class Market:
    broker: Broker
    line: Line
    router: Router
    desk: Desk

    async def agrees(self) -> None:
        await audit.agree(self.desk, self.router, self.broker, self.line)


@pytest.fixture
def settings() -> dict[str, str]:
    """Of both sessions, beside the usual; orders are sent again however old they are."""
    return {"resend_stale_ms": "600000"}


@pytest.fixture
async def market(tmp_path: Path, settings: dict[str, str]) -> AsyncIterator[Market]:
    python = os.environ.get("QUICKFIX_PYTHON")
    if not python:
        pytest.skip("no QuickFIX here; make interop installs it and says where it cannot")
    broker = Broker(python, tmp_path / "broker")
    line = Line(broker.port)
    config = tmp_path / "fairlead.toml"
    shutil.copy(_EXAMPLES / "instruments.csv", tmp_path)
    config.write_text(_CONFIG.format(port=await line.start()))
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
