"""The limits in force: those of the configuration file, which do not change, and those that operators set.

A change is a decision like any other: in force at once, durable before it is answered, audited.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct, json
from msgspec.structs import replace

from fairlead_server.domain.errors import EtagMismatch, InvalidRequest, LimitSetFixed, UnknownLimitSet
from fairlead_server.domain.exposure import RecentOrders, scope_of
from fairlead_server.domain.order import Order
from fairlead_server.domain.risk.events import RiskEventKind
from fairlead_server.domain.risk.limits import OF_FILE, Bounds, Limits, LimitSet, longest_window
from fairlead_server.domain.risk.proposal import Policy
from fairlead_server.domain.risk.rates import RATES, Rates
from fairlead_server.domain.risk.table import problems
from fairlead_server.domain.scope import EVERYTHING, Scope
from fairlead_server.routing.book import Book
from fairlead_server.routing.ledger import Ledger
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Operator
from fairlead_server.store.batch import AuditRow
from fairlead_server.store.snapshot import Snapshot

_EXECUTIONS = "executions/"
_encode = json.Encoder(order="deterministic").encode


class Replaced(Struct, frozen=True):
    """The names of the sets that were not there, were otherwise, and are no more."""

    created: list[str]
    changed: list[str]
    deleted: list[str]


class RiskLimits:
    """One owner: the router. Belongs to its event loop."""

    def __init__(
        self, policy: Policy, book: Book, ledger: Ledger, pipeline: Pipeline, recent: RecentOrders
    ) -> None:
        self._policy = policy
        self._book = book
        self._ledger = ledger
        self._pipeline = pipeline
        self._recent = recent
        self.rates = Rates()
        self._limits = Limits(policy.limits)
        self.version = policy.version
        self._executions: dict[str, int] = {}  # by limit_id
        ledger.on_fill = self.executed
        self._settle()

    def load(self, snapshot: Snapshot) -> None:
        """Begin again from what is committed; before the book does, so that it knows what to count."""
        self._limits = Limits([*self._policy.limits, *snapshot.limit_sets])
        self._executions = {
            name.removeprefix(_EXECUTIONS): number
            for name, number in snapshot.counters.items()
            if name.startswith(_EXECUTIONS)
        }
        self._settle()

    def rebase(self, policy: Policy, by: Operator, now: datetime) -> bool:
        """Part of a decision: the file has been read again; whether it has other limits than before."""
        changed = policy.limits != self._policy.limits
        stored = [each for each in self._limits if each.stored]
        self._policy = policy
        self._limits = Limits([*policy.limits, *stored])
        self._settle()
        if changed:
            text = "the configuration file was read again"
            self._tell(RiskEventKind.LIMITS_CHANGED, EVERYTHING, "", text, by, now)
        return changed

    def _settle(self) -> None:
        """What follows from the sets as they are now. ``version`` is the SHA-256 that each decision is stamped with."""
        stored = [each for each in self._limits if each.stored]
        if stored:
            digest = hashlib.sha256(self._policy.version.encode())
            digest.update(_encode(stored))
            self.version = digest.hexdigest()
        else:
            self.version = self._policy.version
        self._recent.keep_for(longest_window(self._limits))
        self._book.track(self._limits.scopes())

    # Asked by the checks.

    def binding(self, order: Scope) -> Bounds:
        return self._limits.binding(order)

    def count(self, order: Scope, now: datetime) -> None:
        """An order or an amend of that scope is sent, or waits to be: it counts against the rates."""
        bounds = self._limits.binding(order)
        for rate in RATES:
            for bound in bounds.of(rate.limit):
                self.rates.take(rate, bound, order.instrument_id, now)

    def executions(self, limit_id: str) -> int:
        """How many fills a limit of them has counted since a person has looked."""
        return self._executions.get(limit_id, 0)

    def executed(self, order: Order) -> None:
        """Part of a decision: an order was filled, in part or whole."""
        for bound in self._limits.binding(scope_of(order.request, order.session_id)).of("max_executions"):
            self._put_executions(bound.limit_id, self.executions(bound.limit_id) + 1)

    def enable(self, limit_id: str, by: Operator, now: datetime) -> LimitSet:
        """A person has looked: what has traded so often may trade again."""
        known, before = self.get(limit_id), self.executions(limit_id)
        if "max_executions" not in known.values:
            raise InvalidRequest([("limit_id", f"{limit_id} has no max_executions")])
        with self._pipeline.deciding():
            self._put_executions(limit_id, 0)
            action = "risk.limits.enable"
            row = AuditRow(now, by.principal, action, limit_id, by.reason, f"{before} executions", "none")
            self._pipeline.batch.audit.append(row)
            text = f"enabled after {before} executions"
            self._tell(RiskEventKind.ENABLED, known.scope, limit_id, text, by, now)
        return known

    def _put_executions(self, limit_id: str, number: int) -> None:
        self._executions[limit_id] = number
        self._pipeline.batch.counters[f"{_EXECUTIONS}{limit_id}"] = number

    @property
    def risk_head(self) -> int:
        """The sequence of the latest risk event."""
        return self._ledger.risk_head

    # Asked by operators.

    def is_account(self, account_id: str) -> bool:
        return account_id in self._policy.accounts

    def __iter__(self) -> Iterator[LimitSet]:
        return iter(self._limits)

    def get(self, limit_id: str) -> LimitSet:
        found = self._limits.get(limit_id)
        if found is None:
            raise UnknownLimitSet(limit_id)
        return found

    def put(self, wanted: LimitSet, expected: str | None, by: Operator, now: datetime) -> LimitSet:
        """Make or replace a set; ``expected`` is the etag that it is to replace, empty for one that is not there, None for any."""
        known = self.check(wanted, expected)
        changed = _stamped(wanted, known, by, now)
        with self._pipeline.deciding():
            self._limits.put(changed)
            self._settle()
            self._record(changed, known, by, now, deleted=False)
        return changed

    def check(self, wanted: LimitSet, expected: str | None) -> LimitSet | None:
        """The set that it would replace; raises what :meth:`put` would raise."""
        known = self._changeable(wanted.limit_id, expected)
        wrong = [(f"limit_set.{place}", problem) for place, problem in self._problems(wanted)]
        if wrong:
            raise InvalidRequest(wrong)
        return known

    def delete(self, limit_id: str, expected: str | None, by: Operator, now: datetime) -> None:
        known = self._changeable(limit_id, expected)
        if known is None:
            raise UnknownLimitSet(limit_id)
        with self._pipeline.deciding():
            self._limits.remove(limit_id)
            self._settle()
            self._record(known, known, by, now, deleted=True)

    def replace_all(
        self, wanted: Iterable[LimitSet], by: Operator, now: datetime, *, decide: bool = True
    ) -> Replaced:
        """Make these the stored sets, all of them or, if one is wrong, none; only say what would change unless ``decide``."""
        sets = {each.limit_id: each for each in wanted}
        wrong = [
            (f"limit_sets[{limit_id}].{place}", problem)
            for limit_id, each in sets.items()
            for place, problem in self._problems(each)
        ]
        if wrong:
            raise InvalidRequest(wrong)
        stored = {each.limit_id: each for each in self._limits if each.stored}
        for limit_id in sorted(sets):
            self._changeable(limit_id, None)
        done = Replaced(
            sorted(sets.keys() - stored.keys()),
            sorted(name for name in sets.keys() & stored.keys() if not _same(sets[name], stored[name])),
            sorted(stored.keys() - sets.keys()),
        )
        if decide and (done.created or done.changed or done.deleted):
            with self._pipeline.deciding():
                changed = [
                    _stamped(sets[name], stored.get(name), by, now) for name in (*done.created, *done.changed)
                ]
                for name in done.deleted:
                    self._limits.remove(name)
                for each in changed:
                    self._limits.put(each)
                self._settle()
                for name in done.deleted:
                    self._record(stored[name], stored[name], by, now, deleted=True)
                for each in changed:
                    self._record(each, stored.get(each.limit_id), by, now, deleted=False)
        return done

    def _problems(self, wanted: LimitSet) -> Iterator[tuple[str, str]]:
        yield from problems(wanted)
        account_id = wanted.scope.account_id
        if account_id and account_id not in self._policy.accounts:
            yield "scope.account_id", f"{account_id} is no account of the configuration"

    def _changeable(self, limit_id: str, expected: str | None) -> LimitSet | None:
        known = self._limits.get(limit_id)
        if limit_id.startswith(OF_FILE) or (known is not None and not known.stored):
            raise LimitSetFixed(limit_id)
        actual = etag(known) if known is not None else ""
        if expected is not None and expected != actual:
            raise EtagMismatch("limit set", limit_id, expected, actual)
        return known

    def _record(
        self, changed: LimitSet, known: LimitSet | None, by: Operator, now: datetime, *, deleted: bool
    ) -> None:
        if deleted and self.executions(changed.limit_id):
            self._put_executions(changed.limit_id, 0)  # another set of that name counts anew
        batch = self._pipeline.batch
        batch.limit_sets[changed.limit_id] = changed, deleted
        before = _encode(known).decode() if known is not None else ""
        after = "" if deleted else _encode(changed).decode()
        action = "risk.limits.delete" if deleted else "risk.limits.put"
        batch.audit.append(AuditRow(now, by.principal, action, changed.limit_id, by.reason, before, after))
        text = "deleted" if deleted else "set"
        self._tell(RiskEventKind.LIMITS_CHANGED, changed.scope, changed.limit_id, text, by, now)

    def _tell(
        self, kind: RiskEventKind, scope: Scope, limit_id: str, text: str, by: Operator, now: datetime
    ) -> None:
        self._ledger.risk_event(
            kind,
            scope,
            now,
            limit_id=limit_id,
            text=f"{text}: {by.reason}",
            principal=by.principal,
            policy_version=self.version,
        )


def _stamped(wanted: LimitSet, known: LimitSet | None, by: Operator, now: datetime) -> LimitSet:
    version = known.version + 1 if known is not None else 1
    return replace(wanted, version=version, update_time=now, updated_by=by.principal)


def _same(wanted: LimitSet, known: LimitSet) -> bool:
    kept = replace(wanted, version=known.version, update_time=known.update_time, updated_by=known.updated_by)
    return kept == known


def etag(known: LimitSet) -> str:
    """Another for each change, also over a deletion."""
    return hashlib.sha256(_encode(known)).hexdigest()[:16]
