"""The router without its doors: memory, use cases and venue sessions put together, over a store that is its caller's.

What the process does at start and when the store fails is here too, so that whoever owns time and network, as the tests
do, runs the very same router. Whoever makes one has a running event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from fairlead_server.api.images import event_bytes
from fairlead_server.config import Config
from fairlead_server.domain.exposure import RecentOrders
from fairlead_server.domain.ids import ClOrdIds, Ulids
from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.risk.limits import longest_window
from fairlead_server.routing.book import Book
from fairlead_server.routing.carrying_over import carry_over
from fairlead_server.routing.dead_men import DeadMen
from fairlead_server.routing.ending import Ending
from fairlead_server.routing.ends_of_day import EndsOfDay
from fairlead_server.routing.executions import Executions
from fairlead_server.routing.feed import Feed
from fairlead_server.routing.flattens import Flattens
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.limits import RiskLimits
from fairlead_server.routing.live_gates import LiveSwitches
from fairlead_server.routing.mass_cancel import MassCancels
from fairlead_server.routing.news import News
from fairlead_server.routing.order_entry import OrderEntry
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock
from fairlead_server.routing.position_news import PositionNews
from fairlead_server.routing.reference import Reference
from fairlead_server.routing.shelf import KEEP
from fairlead_server.routing.trade_sessions import TradeSessions
from fairlead_server.routing.trading_states import TradingStates
from fairlead_server.routing.watch import Watch
from fairlead_server.store.archive import EVENTS_FLOOR, EVENTS_SINCE
from fairlead_server.store.batch import Batch
from fairlead_server.store.columns import from_micros
from fairlead_server.store.database import Snapshot, Store, StoreError
from fairlead_server.venue.gateway import VenueSession
from fairlead_server.venue.initiator import Chance
from fairlead_server.venue.sessions import Sessions
from fairlead_server.venue.settings import VenueSettings

_log = logging.getLogger(__name__)

_PROBE_SECONDS = 1.0  # between two tries of a store that has failed


class Router:
    """Raises StoreError where the store cannot be read; ``changed`` is told when what health shows may have changed."""

    def __init__(
        self,
        config: Config,
        store: Store,
        ulids: Ulids,
        clock: Clock,
        chance: Chance,
        changed: Callable[[], None],
        keep: int = KEEP,
    ) -> None:
        """``keep`` is how many orders that have ended stay in memory."""
        self.store = store
        self._clock = clock
        self._changed = changed
        self._recent_for = longest_window(config.policy.limits)
        self._recent = RecentOrders(self._recent_for)
        carry_over(store, config.days, config.instruments)
        snapshot = store.load(clock(), self._recent_for)
        self.log_epoch, self.secret = snapshot.log_epoch, snapshot.secret
        self.feed = Feed()
        self.watch = Watch()
        self.position_news = PositionNews()
        self.risk_news = News()
        self.pipeline = Pipeline(store.begin, self._committed, self._store_failed)
        self.reference = Reference(self.pipeline, config.instruments, config.calendars)
        self.book = Book(store.in_place, keep, config.days, self.reference.multiplier)
        self.new_id = ulids.next
        self.ledger = Ledger(self.book, self.pipeline, event_bytes, self.new_id)
        self._cl_ord_ids = ClOrdIds(config.router_id, config.shard)
        self.sessions = Sessions(self._venue_session, self.pipeline, clock, chance)
        self.limits = RiskLimits(config.policy, self.book, self.ledger, self.pipeline, self._recent)
        self.entry = self._order_entry(config)
        self._executions = Executions(
            self.book,
            self.ledger,
            self.reference,
            self.sessions.default_accounts,
            self._cl_ord_ids,
            self.new_id,
            config.policy,
        )
        for settings in config.sessions:
            self.sessions.add(settings)
        self.mass_cancels = MassCancels(self.book, self.ledger, self.pipeline, self.entry, self.new_id)
        self.trade_sessions = TradeSessions(self.ledger, self.pipeline, self.mass_cancels, clock)
        self.trading_states = TradingStates(
            self.book,
            self.ledger,
            self.pipeline,
            self.mass_cancels,
            clock,
            two_persons=config.two_person_release,
        )
        self.dead_men = DeadMen(
            self.book, self.ledger, self.pipeline, self.mass_cancels, self.trading_states, clock
        )
        self.ending = Ending(self.book, self.pipeline, self.mass_cancels)
        self.live = LiveSwitches(
            self.book, self.ledger, self.pipeline, config.policy.accounts, self.sessions.gateways
        )
        self.flattens = Flattens(
            self.book,
            self.ledger,
            self.pipeline,
            self.entry,
            self.mass_cancels,
            self.trading_states,
            self.reference.get,
            self.sessions.gateways,
            clock,
        )
        self.ends_of_day = EndsOfDay(
            config.ends_of_day,
            self.book,
            self.ledger,
            self.pipeline,
            self.mass_cancels,
            self.trading_states,
            self.flattens,
            self.reference.calendars,
            clock,
        )
        self._recovery: asyncio.Task[None] | None = None
        self._in_vain = False  # nothing has been committed since the last recovery
        self._load(snapshot)
        self.reference.listeners.append(self._priced)

    def _venue_session(self, settings: VenueSettings) -> VenueSession:
        return VenueSession(
            settings,
            self.ledger,
            self.pipeline,
            self.store,
            self.entry,
            self._executions,
            self._clock,
            self._changed,
        )

    def _order_entry(self, config: Config) -> OrderEntry:
        return OrderEntry(
            self.book,
            self.ledger,
            self.pipeline,
            config.policy,
            self.limits,
            self.reference,
            config.routes,
            self.sessions.gateways,
            self._cl_ord_ids,
            self._recent,
            self.new_id,
        )

    def recover(self) -> None:
        """Settle what was under way when memory was lost; before anybody is let in."""
        self.entry.recover(self._clock())
        self.trading_states.recover(self._clock())
        self.flattens.recover()
        self.ends_of_day.recover()

    async def stop(self) -> None:
        """Log out of the venues; everything decided is durable when this returns."""
        self.trade_sessions.drain()
        self.dead_men.drain()
        self.ends_of_day.drain()
        await self.sessions.stop("shutting down")
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.wait([self._recovery])
        await self.pipeline.close()

    def _load(self, snapshot: Snapshot) -> None:
        """Rebuild memory: at start, and after the store has failed."""
        self.reference.load(snapshot)
        self.limits.load(snapshot)
        self.book.load(snapshot)
        self._recent.load(snapshot.recent)
        self.ledger.head, self.ledger.risk_head = snapshot.head, snapshot.risk_head
        counters = snapshot.counters
        since = from_micros(counters[EVENTS_SINCE]) if EVENTS_SINCE in counters else None
        self.feed.load(snapshot.head, counters.get(EVENTS_FLOOR, 0), since)
        self._cl_ord_ids.last = snapshot.counters.get("cl_ord_id", 0)
        self.sessions.load(snapshot)
        self.trade_sessions.load(snapshot.trade_sessions)
        self.trading_states.load(snapshot.halts)
        self.flattens.load(snapshot.flattens)
        self.dead_men.load(snapshot.dead_men)
        self.ends_of_day.load(snapshot.counters)
        self.position_news.load(key for key, _ in snapshot.positions)
        _log.info(
            "%d live orders, log at %d, sessions %s",
            len(snapshot.orders),
            snapshot.head,
            {name: (numbers.next_in, numbers.next_out) for name, numbers in snapshot.sessions.items()},
        )

    def _priced(self, instrument_id: str, instrument: Instrument | None) -> None:
        """Part of the decision that has changed it; what is read back from the store was decided before."""
        if instrument is not None and instrument.reference is not None and not self.pipeline.broken:
            self.book.holdings.marked(instrument_id, instrument.reference.price, self.pipeline.batch)

    def _committed(self, batch: Batch) -> None:
        self._in_vain = False
        self.book.committed(batch)
        self.feed.publish(batch.events)
        self.watch.changed(batch.orders)
        self.position_news.committed(batch)
        self.trading_states.committed(batch)
        self.ending.committed()
        self.flattens.committed(batch)
        self.ends_of_day.committed(batch)
        if batch.risk_events:
            self.risk_news.tell()

    # When the store fails.

    def _store_failed(self, error: BaseException) -> None:
        self.sessions.suspend(f"nothing can be made durable: {error}")
        self._changed()
        self._recovery = asyncio.create_task(self._recover(_PROBE_SECONDS if self._in_vain else 0.0))
        self._in_vain = True

    async def _recover(self, pause: float) -> None:
        """Try until the store takes a write again, then rebuild everything from it and go on.

        After a recovery of which nothing has become durable since there is a ``pause``: it would only be repeated.
        """
        await asyncio.sleep(pause)
        while (snapshot := await self._reloaded()) is None:  # noqa: ASYNC110 - nothing tells when a disk has room
            await asyncio.sleep(_PROBE_SECONDS)
        self._load(snapshot)
        self.pipeline.resume()
        self.recover()
        self.sessions.resume()
        _log.warning("the store works again; everything was rebuilt from it")
        self._changed()

    async def _reloaded(self) -> Snapshot | None:
        try:
            await asyncio.to_thread(self.store.commit, Batch(counters={"recoveries": 1}))
            return await asyncio.to_thread(self.store.load, self._clock(), self._recent_for)
        except StoreError as error:
            _log.error("the store still fails: %s", error)
        except Exception:  # noqa: BLE001 - and logged: nothing else would ever bring the sessions back
            _log.exception("the store cannot be read")
        return None
