"""The process: constructor calls in one place, and what happens at start, at the end, and when the store fails.

Order of starting: open the store, rebuild memory from it, listen, connect to the venues. Order of ending: refuse new
orders, end the streams, finish what is decided, log out of the venues, close.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import logging
import os
import random
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fairlead_server.api.execution_service import ExecutionService
from fairlead_server.api.messages import event_bytes
from fairlead_server.api.order_service import OrderService
from fairlead_server.api.reference_service import ReferenceService
from fairlead_server.api.server import Server
from fairlead_server.api.session_service import SessionService
from fairlead_server.api.system_service import ServerFacts, SystemService
from fairlead_server.api.tokens import Tokens
from fairlead_server.config import Config
from fairlead_server.domain.exposure import RecentOrders
from fairlead_server.domain.ids import ClOrdIds, Ulids
from fairlead_server.fix.session import Numbers
from fairlead_server.routing.book import Book
from fairlead_server.routing.executions import Executions
from fairlead_server.routing.feed import Feed
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.order_entry import OrderEntry
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.watch import Watch
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Snapshot, StoreError, open_store
from fairlead_server.venue.gateway import VenueSession
from fairlead_server.venue.initiator import Initiator, Timing

_log = logging.getLogger(__name__)

_PROBE_SECONDS = 1.0  # between two tries of a store that has failed
_GRACE_SECONDS = 2.0  # for calls under way when the server stops
_LOGOUT_SECONDS = 3.0  # for a venue to answer our Logout(5)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Venue:
    session: VenueSession
    initiator: Initiator


class App:
    """The router. Raises StoreError or OSError where it cannot start; then nothing is left running."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._store = open_store(config.store_url)
        snapshot = self._store.load(now())

        self.feed = Feed()
        self._watch = Watch()
        self._pipeline = Pipeline(self._store.commit, self._committed, self._store_failed)
        self._book = Book(self._store)
        ulids = Ulids(secrets.randbits(48))
        self._new_id = lambda: ulids.next(now())
        self._ledger = Ledger(self._book, self._pipeline, event_bytes, self._new_id)
        self._cl_ord_ids = ClOrdIds(config.router_id, config.shard)
        self._venues: dict[str, Venue] = {}
        self._sessions: dict[str, VenueSession] = {}
        self._entry = self._order_entry()
        executions = Executions(
            self._book,
            self._ledger,
            config.instruments,
            {s.session_id: s.default_account for s in config.sessions},
            self._new_id,
        )
        for settings in config.sessions:
            session = VenueSession(
                settings,
                self._ledger,
                self._pipeline,
                self._store,
                self._entry,
                executions,
                now,
                self._changed,
            )
            self._sessions[settings.session_id] = session
            timing = Timing(longest_wait=settings.reconnect_max.total_seconds())
            self._venues[settings.session_id] = Venue(session, Initiator(session, now, random.random, timing))
        self._server = self._grpc_server(snapshot)
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._load(snapshot)

    def _order_entry(self) -> OrderEntry:
        policy = self._config.policy
        windows = (account.duplicate_window for account in policy.accounts.values())
        return OrderEntry(
            self._book,
            self._ledger,
            self._pipeline,
            policy,
            self._config.instruments,
            self._config.routes,
            self._sessions,
            self._cl_ord_ids,
            RecentOrders(max(windows, default=timedelta())),
            self._new_id,
        )

    def _grpc_server(self, snapshot: Snapshot) -> Server:
        config, store = self._config, self._store
        tokens = Tokens(snapshot.secret, snapshot.log_epoch)
        facts = ServerFacts(
            config.server_id,
            importlib.metadata.version("fairlead-server"),
            os.environ.get("FAIRLEAD_COMMIT", ""),
            now(),
            snapshot.log_epoch,
            config.version,
        )
        services = {
            "OrderService": OrderService(self._entry, self._pipeline, self._watch, store, tokens, now),
            "ExecutionService": ExecutionService(
                config.server_id, self.feed, store, tokens, now, self._new_id
            ),
            "SessionService": SessionService(self._sessions, tokens),
            "ReferenceService": ReferenceService(config.instruments, tokens),
            "SystemService": SystemService(facts, now),
        }
        return Server(services, now, self._new_id, config.server_id)

    # Running.

    async def start(self) -> int:
        """Serve and connect; returns the gRPC port."""
        port = await self._server.start(self._config.host, self._config.port)
        gc.collect()
        gc.freeze()  # what lives as long as the process need not be looked through again
        self._tasks = [asyncio.create_task(venue.initiator.run()) for venue in self._venues.values()]
        self._tasks.append(asyncio.create_task(self._tell_health()))
        self._changed()
        return port

    async def stop(self) -> None:
        """Everything decided is durable and every peer told, or has had its time, when this returns."""
        self._entry.draining = True
        self.feed.close()
        await self._server.stop(_GRACE_SECONDS)
        stops = [venue.initiator.stop("shutting down", _LOGOUT_SECONDS) for venue in self._venues.values()]
        await asyncio.gather(*stops)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pipeline.close()
        self._store.close()

    def _load(self, snapshot: Snapshot) -> None:
        """Rebuild memory: at start, and after the store has failed."""
        self._book.load(snapshot)
        self._ledger.head = snapshot.head
        self.feed.load(snapshot.head)
        self._cl_ord_ids.last = snapshot.counters.get("cl_ord_id", 0)
        for session_id, session in self._sessions.items():
            session.load(snapshot.sessions.get(session_id, Numbers()))
        _log.info(
            "%d live orders, log at %d, sessions %s",
            len(snapshot.orders),
            snapshot.head,
            {name: (numbers.next_in, numbers.next_out) for name, numbers in snapshot.sessions.items()},
        )

    def _committed(self, batch: Batch) -> None:
        self.feed.publish(batch.events)
        self._watch.changed(batch.orders)

    # When the store fails.

    def _store_failed(self, error: BaseException) -> None:
        for venue in self._venues.values():
            venue.initiator.suspend(f"nothing can be made durable: {error}")
        self._changed()
        self._tasks.append(asyncio.create_task(self._recover()))

    async def _recover(self) -> None:
        """Try until the store takes a write again, then rebuild everything from it and go on."""
        while (snapshot := await self._reloaded()) is None:  # noqa: ASYNC110 - nothing tells when a disk has room
            await asyncio.sleep(_PROBE_SECONDS)
        self._load(snapshot)
        self._pipeline.resume()
        for venue in self._venues.values():
            venue.initiator.resume()
        _log.warning("the store works again; everything was rebuilt from it")
        self._changed()

    async def _reloaded(self) -> Snapshot | None:
        try:
            await asyncio.to_thread(self._store.commit, Batch(counters={"recoveries": 1}))
            return await asyncio.to_thread(self._store.load, now())
        except StoreError as error:
            _log.error("the store still fails: %s", error)
            return None

    # Health.

    def _changed(self) -> None:
        self._news.set()

    async def _tell_health(self) -> None:
        """Overall: the process answers. OrderService: orders can be made durable and routed somewhere."""
        while True:
            await self._news.wait()
            self._news.clear()
            up = {f"session/{name}": session.available for name, session in self._sessions.items()}
            routable = not self._pipeline.broken and any(up.values())
            await self._server.set_serving({"": True, "fairlead.v1.OrderService": routable, **up})


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Run until ``stop`` is set. Prints one line when ready, which a parent process may wait for."""
    app = App(config)
    try:
        port = await app.start()
    except OSError:
        await app.stop()
        raise
    names = ", ".join(settings.session_id for settings in config.sessions) or "none"
    print(f"fairlead: gRPC {config.host}:{port} · store {config.store_url} · sessions {names}", flush=True)
    await stop.wait()
    await app.stop()
