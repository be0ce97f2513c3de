"""The process: the router with its doors, and what happens at start and at the end.

Order of starting: open the store, rebuild memory from it, listen, connect to the venues. Order of ending: refuse new
orders, settle those that are live as configured, end the streams, finish what is decided, log out of the venues, close.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import logging
import os
import random
import secrets
import signal
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from uuid import uuid4

from msgspec.structs import replace

from fairlead_server.api.calendars import CalendarOperations
from fairlead_server.api.execution_service import ExecutionService
from fairlead_server.api.instrument_operations import InstrumentOperations
from fairlead_server.api.messages import event_line
from fairlead_server.api.order_answers import OrderAnswers
from fairlead_server.api.order_batches import OrderBatches
from fairlead_server.api.order_operations import OrderOperations
from fairlead_server.api.order_service import OrderService
from fairlead_server.api.position_service import PositionService
from fairlead_server.api.positions import Positions
from fairlead_server.api.reference_prices import ReferencePrices
from fairlead_server.api.reference_service import ReferenceService
from fairlead_server.api.risk_service import RiskService
from fairlead_server.api.server import Server
from fairlead_server.api.session_service import SessionService
from fairlead_server.api.system_service import ServerFacts, SystemService
from fairlead_server.api.tokens import Tokens
from fairlead_server.api.trade_commands import TradeCommands
from fairlead_server.api.trade_stream import Desk
from fairlead_server.api.trading_control_service import TradingControlService
from fairlead_server.config import Config, ConfigError
from fairlead_server.domain.errors import ConfigInvalid, RouterError
from fairlead_server.domain.ids import Ulids
from fairlead_server.router import Router
from fairlead_server.routing.batches import Batches
from fairlead_server.routing.calendars import Calendars
from fairlead_server.routing.imports import Imports
from fairlead_server.routing.inquiries import Inquiries
from fairlead_server.routing.instruments import Instruments
from fairlead_server.routing.news import News
from fairlead_server.routing.ports import Operator, Reloaded
from fairlead_server.routing.prices import Prices
from fairlead_server.routing.reconciliations import Reconciliations
from fairlead_server.routing.retention import Retention
from fairlead_server.routing.risk_inquiries import RiskInquiries
from fairlead_server.store.archive import Folder
from fairlead_server.store.batch import AuditRow
from fairlead_server.store.database import open_store
from fairlead_server.store.errors import without_password

_log = logging.getLogger(__name__)

_GRACE_SECONDS = 2.0  # for calls under way when the server stops
# After so many new objects the young ones are looked through for cycles, after so many times that those which are left, and
# so on. By Python's own 700, 10, 10 the whole of memory is, 30 to 50 ms long, each few hundred orders. Above 2,000 the
# young ones do not fit into the processor's cache any more and take longer, not less.
_COLLECTIONS = 2_000, 10, 50


def now() -> datetime:
    return datetime.now(UTC)


class App:
    """The router. Raises StoreError or OSError where it cannot start; then nothing is left running."""

    def __init__(self, config: Config, reread: Callable[[], Config] | None = None) -> None:
        """``reread`` gives the configuration as it is now, or raises ConfigError."""
        self._config = config
        self._reread = reread
        self._store = open_store(config.store_url)
        self._news = asyncio.Event()
        self._session_news = News()
        ulids = Ulids(secrets.randbits(48))
        self.router = Router(config, self._store, ulids, now, random.random, self._changed)
        self._instruments = Instruments(self.router.reference, self.router.book, self.router.pipeline)
        self._server = self._grpc_server()
        self._retention = self._make_retention()
        self._tasks: list[asyncio.Task[None]] = []

    def _grpc_server(self) -> Server:
        config, store, router = self._config, self._store, self.router
        tokens = Tokens(router.secret, router.log_epoch)
        facts = ServerFacts(
            config.server_id,
            importlib.metadata.version("fairlead-server"),
            os.environ.get("FAIRLEAD_COMMIT", ""),
            now(),
            router.log_epoch,
            config.version,
        )
        inquiries = Inquiries(
            router.book, router.ledger, router.pipeline, router.sessions.gateways, router.entry.find
        )
        services = {
            "OrderService": self._order_service(tokens),
            "ExecutionService": ExecutionService(
                config.server_id, router.feed, store, tokens, now, router.new_id
            ),
            "SessionService": SessionService(
                router.sessions.operated,
                inquiries,
                None if self._reread is None else self,
                store,
                router.pipeline,
                self._session_news,
                tokens,
                now,
            ),
            "ReferenceService": self._reference_service(tokens),
            "PositionService": PositionService(
                Positions(router.book, router.reference), store, router.position_news, tokens, now
            ),
            "TradingControlService": TradingControlService(
                router.trading_states,
                router.flattens,
                router.dead_men,
                router.live,
                router.mass_cancels,
                router.pipeline,
                config.policy.accounts,
                router.reference,
                router.sessions.gateways,
                now,
            ),
            "RiskService": RiskService(
                router.limits,
                RiskInquiries(router.entry),
                store,
                router.pipeline,
                router.risk_news,
                tokens,
                now,
            ),
            "SystemService": SystemService(facts, now),
        }
        return Server(services, now, router.new_id, config.server_id)

    def _make_retention(self) -> Retention | None:
        wanted, router = self._config.retention, self.router
        if wanted is None:
            return None
        return Retention(
            wanted.ages,
            Folder(wanted.archive),
            self._store,
            router.book,
            router.pipeline,
            router.feed,
            now,
            event_line,
        )

    def _order_service(self, tokens: Tokens) -> OrderService:
        router = self.router
        book, ledger, pipeline, entry = router.book, router.ledger, router.pipeline, router.entry
        answers = OrderAnswers(entry, pipeline, router.watch, tokens, now)
        batches = OrderBatches(answers, Batches(book, entry, pipeline), tokens, now)
        reconciliations = Reconciliations(book, ledger, pipeline, entry)
        operations = OrderOperations(router.mass_cancels, reconciliations, ledger, pipeline, tokens, now)
        desk = Desk(
            TradeCommands(answers, router.watch),
            router.trade_sessions,
            pipeline,
            router.watch,
            now,
            router.new_id,
            self._config.server_id,
        )
        return OrderService(
            answers, batches, operations, desk, router.watch, router.feed, self._store, tokens, now
        )

    def _reference_service(self, tokens: Tokens) -> ReferenceService:
        router, reference, pipeline = self.router, self.router.reference, self.router.pipeline
        imports = Imports(reference, self._instruments, pipeline, router.new_id)
        operations = InstrumentOperations(
            reference, self._instruments, imports, self._store, pipeline, tokens, now
        )
        prices = ReferencePrices(Prices(reference, pipeline), pipeline, now)
        calendars = CalendarOperations(reference, Calendars(reference, pipeline), pipeline, now)
        return ReferenceService(reference, operations, calendars, prices, pipeline, tokens, now)

    # Running.

    async def start(self) -> int:
        """Serve and connect; returns the gRPC port."""
        self.router.recover()
        port = await self._server.start(self._config.host, self._config.port)
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked through again
        gc.set_threshold(*_COLLECTIONS)
        self.router.sessions.start()
        self._tasks = [asyncio.create_task(self._tell_health())]
        if self._retention is not None:
            self._tasks.append(asyncio.create_task(self._retention.run()))
        self._changed()
        return port

    async def stop(self) -> None:
        """Everything decided is durable and every peer told, or has had its time, when this returns."""
        self.router.entry.draining = True
        if self._tasks:  # where it could not start nothing was begun that is to be ended
            wanted, seconds = self._config.on_shutdown, self._config.shutdown_seconds
            await self.router.ending.settle(wanted, seconds, str(uuid4()), now())
        self.router.feed.close()
        self.router.trade_sessions.drain()
        self.router.dead_men.drain()
        self.router.ends_of_day.drain()
        self.router.trading_states.news.close()
        self.router.flattens.news.close()
        self._session_news.close()
        self.router.position_news.close()
        self.router.risk_news.close()
        await self._server.stop(_GRACE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.router.stop()
        self._store.close()

    # The configuration, read again.

    async def reload(self, by: Operator, now: datetime) -> Reloaded:
        """Sessions, routes, limits, instruments and calendars as configured now; what else has changed needs a restart, and is named."""
        if self._reread is None:
            raise ConfigInvalid("", "", "this server was not started from a file")
        try:
            config = await asyncio.to_thread(self._reread)
        except ConfigError as error:
            raise ConfigInvalid(error.file, error.key, error.problem) from None
        instruments, calendars = self._instruments.check(config.instruments, config.calendars)
        with self.router.pipeline.deciding():
            done = replace(
                self.router.sessions.apply(config.sessions),
                restart=_for_a_restart(self._config, config),
                instruments=instruments,
                calendars=calendars,
            )
            self.router.entry.routes = config.routes
            self.router.limits.rebase(config.policy, by, now)
            self.router.reference.rebase(config.instruments, config.calendars)
            self.router.pipeline.batch.audit.append(
                AuditRow(now, by.principal, "session.reload", "", by.reason, after=str(done))
            )
        self._changed()
        return done

    # Health.

    def _changed(self) -> None:
        self._news.set()
        self._session_news.tell()

    async def _tell_health(self) -> None:
        """Overall: the process answers. OrderService: orders can be made durable and routed somewhere."""
        # Those that were let go as well: whoever watches one must hear of its end.
        known: dict[str, bool] = {}
        while True:
            await self._news.wait()
            self._news.clear()
            up = {
                f"session/{name}": session.available
                for name, session in self.router.sessions.gateways.items()
            }
            known = dict.fromkeys(known, False) | up
            routable = not self.router.pipeline.broken and any(up.values())
            await self._server.set_serving({"": True, "fairlead.v1.OrderService": routable, **known})


async def _reload(app: App) -> None:
    try:
        _log.info("reloaded: %s", await app.reload(Operator("SIGHUP", "asked by signal"), now()))
    except RouterError as error:
        _log.error("nothing was reloaded: %s", error)


def _for_a_restart(old: Config, new: Config) -> tuple[str, ...]:
    """What differs beside what is taken up."""
    taken_up = {"sessions", "routes", "version", "policy", "instruments", "calendars"}
    parts = [field.name for field in fields(Config) if field.name not in taken_up]
    changed = [part for part in parts if getattr(old, part) != getattr(new, part)]
    if replace(old.policy, version="", limits=()) != replace(new.policy, version="", limits=()):
        changed.append("risk and accounts")
    return tuple(changed)


async def serve(config: Config, reread: Callable[[], Config], stop: asyncio.Event) -> None:
    """Run until ``stop`` is set. Prints one line when ready, which a parent process may wait for.

    SIGHUP has the configuration read again.
    """
    app = App(config, reread)
    reloads = set[asyncio.Task[None]]()  # a task that nobody holds may be collected

    def reload() -> None:
        task = asyncio.create_task(_reload(app))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
    try:
        port = await app.start()
    except OSError:
        await app.stop()
        raise
    names = ", ".join(settings.session_id for settings in config.sessions) or "none"
    store = without_password(config.store_url)
    print(f"fairlead: gRPC {config.host}:{port} · store {store} · sessions {names}", flush=True)
    await stop.wait()
    await app.stop()
