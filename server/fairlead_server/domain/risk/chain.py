"""Asks the controls: every one of them, and every breach is reported; the first in the order of the table is the reason.

A limit that is required and missing refuses; there is no permissive default (SEC 15c3-5(c)(1), RTS 6 Art. 15). Cancels never
come here.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_FLOOR, Context, Decimal

from msgspec import Struct
from msgspec.structs import replace

from fairlead_server.domain.order import ZERO
from fairlead_server.domain.reject import Breach, RejectReason
from fairlead_server.domain.risk.control import UNKNOWN, Applies, Cap, Control, Finding, Gate, ListGate
from fairlead_server.domain.risk.limits import Bound, Mode
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.risk.table import (
    CONTROLS,
    FOR_AMEND,
    FOR_DECREASE,
    FOR_NEW,
    FOR_WAITING,
    PLACE,
    Chain,
)
from fairlead_server.domain.terms import Terms


class Noted(Struct, frozen=True):
    """A breach of a limit that is not in force: it is told, or only recorded."""

    mode: Mode
    breach: Breach


class Measure(Struct, frozen=True):
    """What a limit was compared with."""

    rule_id: str
    limit_id: str
    limit: Decimal
    observed: Decimal | int


class Examination(Struct, frozen=True):
    """``breaches`` refuse; without any the proposal passes."""

    breaches: tuple[Breach, ...] = ()
    noted: tuple[Noted, ...] = ()
    measures: tuple[Measure, ...] = ()


def examine_new(proposal: Proposal) -> Examination:
    return _examine(proposal, FOR_NEW)


def examine_amend(proposal: Proposal, current: Terms) -> Examination:
    """An amend that only takes quantity away is spared the controls of exposure; any other faces them."""
    return _examine(proposal, FOR_DECREASE if proposal.terms.only_reduce(current) else FOR_AMEND)


def examine_waiting(proposal: Proposal) -> Examination:
    """Of an order that was examined before it had to wait for its turn: what may have come up since."""
    found = ((gate, gate.test(proposal)) for gate in FOR_WAITING)
    return Examination(tuple(_breach(gate, finding, "") for gate, finding in found if finding is not None))


def examine_waiting_amend(proposal: Proposal, current: Terms) -> Examination:
    """The same of an amend; one that only takes quantity away is never kept from it."""
    return Examination() if proposal.terms.only_reduce(current) else examine_waiting(proposal)


def _examine(p: Proposal, chain: Chain) -> Examination:
    found: list[tuple[Mode, Breach]] = []
    for gate in chain.gates:
        finding = gate.test(p)
        if finding is not None:
            found.append((Mode.ENFORCE, _breach(gate, finding, "")))
    if p.bounds.words:
        for each in chain.lists:
            found += _listed(p, each)
    measures: list[Measure] = []
    values = p.bounds.values
    for cap in chain.caps:
        for bound in values.get(cap.limit, ()):
            observed = cap.observe(p, bound)
            if observed is None:
                continue
            if observed != UNKNOWN:
                measures.append(Measure(cap.rule_id, bound.limit_id, bound.value, observed))
            if cap.breaks(observed, bound):
                found.append((bound.mode, _exceeded(cap, bound, observed)))
    if not found:
        return Examination(measures=tuple(measures))
    return Examination(*_sorted(found), tuple(measures))


def _listed(p: Proposal, gate: ListGate) -> Iterator[tuple[Mode, Breach]]:
    for bound in p.bounds.words.get(gate.limit, ()):
        finding = gate.test(p, bound)
        if finding is not None:
            yield bound.mode, _breach(gate, finding, bound.limit_id)


def _sorted(found: list[tuple[Mode, Breach]]) -> tuple[tuple[Breach, ...], tuple[Noted, ...]]:
    """In the order of the table; of a control that several sets break in force, the tightest, which is asked first."""
    found.sort(key=lambda each: PLACE[each[1].rule_id])
    enforced: dict[str, Breach] = {}
    for mode, breach in found:
        if mode is Mode.ENFORCE:
            enforced.setdefault(breach.rule_id, breach)
    noted = tuple(Noted(mode, breach) for mode, breach in found if mode is not Mode.ENFORCE)
    return tuple(enforced.values()), noted


def _breach(control: Control, finding: Finding, limit_id: str) -> Breach:
    shown = _shown(finding.limit), _shown(finding.observed)
    return Breach(control.rule_id, control.reason, finding.text, *shown, limit_id)


def _exceeded(cap: Cap, bound: Bound, observed: Decimal | int) -> Breach:
    if observed == UNKNOWN:
        text = "cannot be reckoned: a price that it takes is not known"
        return Breach(
            cap.rule_id,
            RejectReason.RISK_MISSING_REFERENCE_PRICE,
            text,
            _shown(cap.most(bound)),
            "",
            bound.limit_id,
        )
    shown = _shown(cap.most(bound)), _shown(observed)
    return Breach(cap.rule_id, cap.reason, cap.breach, *shown, bound.limit_id)


# What would be said, control by control, without deciding anything.


class Line(Struct, frozen=True):
    """One control, and for one that compares, one limit. The amounts are None where there is nothing to compare."""

    rule_id: str
    reason: RejectReason
    passed: bool
    mode: Mode = Mode.ENFORCE
    limit_id: str = ""
    text: str = ""  # what is wrong
    limit: Decimal | None = None
    used: Decimal | None = None  # without the proposal
    observed: Decimal | None = None  # with it

    @property
    def headroom(self) -> Decimal | None:
        """What is left of the limit without the proposal; below zero where it is exceeded already."""
        return None if self.limit is None or self.used is None else self.limit - self.used


def explain(p: Proposal) -> tuple[Line, ...]:
    """Every control that is asked of a new order, in the order of the table."""
    empty = replace(p, terms=replace(p.terms, quantity=ZERO))
    lines: list[Line] = []
    for control in CONTROLS:
        if control.applies is not Applies.AMEND:
            lines += _explained(p, empty, control)
    return tuple(lines)


def _explained(p: Proposal, empty: Proposal, control: Control) -> Iterator[Line]:
    rule_id, reason = control.rule_id, control.reason
    if isinstance(control, Gate):
        finding = control.test(p)
        yield Line(rule_id, reason, finding is None, text=finding.text if finding else "")
    elif isinstance(control, ListGate):
        for listed in p.bounds.words.get(control.limit, ()):
            finding = control.test(p, listed)
            text = finding.text if finding else ""
            yield Line(rule_id, reason, finding is None, listed.mode, listed.limit_id, text)
    else:
        for bound in p.bounds.of(control.limit):
            yield _compared(p, empty, control, bound)


def _compared(p: Proposal, empty: Proposal, cap: Cap, bound: Bound) -> Line:
    observed, used = cap.observe(p, bound), cap.observe(empty, bound)
    broken = observed is not None and cap.breaks(observed, bound)
    return Line(
        cap.rule_id,
        cap.reason,
        not broken,
        bound.mode,
        bound.limit_id,
        cap.breach if broken else "",
        cap.most(bound),
        _known(used),
        _known(observed),
    )


def _known(amount: Decimal | int | None) -> Decimal | None:
    return None if amount is None or amount == UNKNOWN else Decimal(amount)


_WIDE = Context(prec=50, rounding=ROUND_FLOOR)
_MOST_LOTS = 10**18  # no quantity of the API has more digits


def largest(p: Proposal, most: Decimal | None = None) -> Decimal:
    """The largest quantity, in whole lots, that would pass, and no more than ``most``; zero if none would.

    What more quantity breaks, less does not: so the largest that breaks no limit from above is searched for by halves, and then
    has to pass everything.
    """
    lot = p.instrument.lot_size if p.instrument is not None else Decimal(1)
    low, high = 0, _MOST_LOTS
    if most is not None:
        high = min(high, int(_WIDE.divide_int(most, lot)))
    while low < high:
        middle = (low + high + 1) // 2
        if _too_much(_with(p, lot * middle)):
            high = middle - 1
        else:
            low = middle
    quantity = lot * low
    return quantity if low and not examine_new(_with(p, quantity)).breaches else ZERO


def _with(p: Proposal, quantity: Decimal) -> Proposal:
    return replace(p, terms=replace(p.terms, quantity=quantity))


def _too_much(p: Proposal) -> bool:
    """Whether a limit in force is exceeded from above."""
    for cap in FOR_NEW.caps:
        if cap.least:
            continue
        for bound in p.bounds.values.get(cap.limit, ()):
            observed = cap.observe(p, bound) if bound.mode is Mode.ENFORCE else None
            if observed is not None and cap.breaks(observed, bound):
                return True
    return False


def _shown(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
