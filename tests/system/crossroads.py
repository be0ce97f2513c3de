"""A router with many sessions to one venue, at which each has a peer of its own. A session's account has its name."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterable, Mapping

from fairlead import AsyncClient, ClientOrder, OrderState, SessionState, StartPosition
from fairlead.v1.session_service_pb2 import Session

from tests.system.processes import ROOT
from tests.system.world import PATIENCE, RULES, World

_SESSION = """
[accounts.{name}]
max_order_quantity = 100
max_order_notional = 1_000_000
max_position = 100_000
max_open_orders = 1000
[sessions.{name}]
{settings}
sender_comp_id = "{name}"
target_comp_id = "SIM"
host = "127.0.0.1"
port = {port}
default_account = "{name}"
reconnect_max_seconds = 1
[[routes]]
route_id = "{name}"
session_id = "{name}"
accounts = ["{name}"]
"""


class Crossroads(World):
    def write_config(self, sessions: Mapping[str, str], ports: Mapping[str, int] | None = None) -> None:
        """``sessions`` are their other settings, as lines; ``ports`` are of those that do not go straight to the venue."""
        shutil.copy(ROOT / "examples" / "instruments.csv", self.folder)
        tables = [
            _SESSION.format(name=name, settings=settings, port=(ports or {}).get(name, self.fix_port))
            for name, settings in sessions.items()
        ]
        head = 'instruments_file = "instruments.csv"\n[store]\nurl = "set on the command line"\n'
        (self.folder / "fairlead.toml").write_text(head + "".join(tables))

    def rules(self, sessions: Iterable[str]) -> str:
        """Of the venue, with the peers that it knows."""
        return f'validation = "strict"\npeers = {json.dumps([*sessions])}\n{RULES}'

    def router_command(self, *settings: str) -> list[str]:
        every = (f"server.port={self.grpc_port}", f"store.url=sqlite:///{self.store}", *settings)
        sets = [word for setting in every for word in ("--set", setting)]
        config = str(self.folder / "fairlead.toml")
        return ["-m", "fairlead_server", "serve", "--config", config, *sets]

    async def until_sessions(
        self, names: Iterable[str], wanted: Callable[[Session], bool]
    ) -> dict[str, Session]:
        """Until all of these are as wanted at the same time."""
        found: dict[str, Session] = {}
        names = list(names)
        async with asyncio.timeout(PATIENCE), self.client() as client:
            async for session in client.watch_sessions():
                found[session.session_id] = session
                if all(name in found and wanted(found[name]) for name in names):
                    return found
        raise AssertionError("the stream has ended")

    async def reach(self, client: AsyncClient, ends: Mapping[ClientOrder, OrderState]) -> None:
        """Until each of these orders has been in this state, from the beginning of the log on."""
        missing = dict(ends)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._reach(client, missing)
        except TimeoutError:
            raise AssertionError(missing) from None

    async def _reach(self, client: AsyncClient, missing: dict[ClientOrder, OrderState]) -> None:
        async with client.subscribe(position=StartPosition.EARLIEST) as subscription:
            async for event in subscription:
                order = ClientOrder(event.order.account_id, event.order.client_order_id)
                if missing.get(order) is OrderState(event.order.state):
                    del missing[order]
                if not missing:
                    return


def is_active(session: Session) -> bool:
    return SessionState(session.state) is SessionState.ACTIVE


def has_been_lost(session: Session) -> bool:
    """Its first connection; it may be back on another by now."""
    return not is_active(session) or session.connection_number > 1
