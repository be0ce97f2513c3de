"""Risk as the API shows it, and limit sets as it is given them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from fairlead.v1 import risk_service_pb2 as pb
from msgspec.structs import replace

from fairlead_server.api import enums
from fairlead_server.api.messages import breach, canonical
from fairlead_server.api.times import timestamp
from fairlead_server.domain.errors import InvalidRequest
from fairlead_server.domain.risk.chain import Line
from fairlead_server.domain.risk.control import Cap, Control, ListGate
from fairlead_server.domain.risk.events import RiskEvent
from fairlead_server.domain.risk.limits import LimitSet, Mode
from fairlead_server.domain.risk.usage import Usage
from fairlead_server.domain.scope import DIMENSIONS, EVERYTHING, Scope
from fairlead_server.domain.vocabulary import UNSIGNED
from fairlead_server.routing.limits import etag
from fairlead_server.store.batch import DecisionRow


def control(value: Control) -> pb.RiskControl:
    shown = pb.RiskControl(
        rule_id=value.rule_id,
        reason=enums.REJECT_REASON.number[value.reason],
        text=value.text,
        source=value.source,
        applies=value.applies.value,
    )
    if isinstance(value, ListGate):
        shown.limit, shown.unit = value.limit, "LIST"
        shown.dimensions.extend(DIMENSIONS)
    elif isinstance(value, Cap):
        shown.limit, shown.unit = value.limit, value.unit.value
        shown.dimensions.extend(value.dimensions)
        shown.parameters.extend(
            pb.RiskParameter(name=each.name, unit=each.unit.value, default_text=each.default, text=each.text)
            for each in value.parameters
        )
    return shown


def scope(value: Scope) -> pb.RiskScope:
    return pb.RiskScope(
        account_id=value.account_id,
        principal=value.principal,
        instrument_id=value.instrument_id,
        strategy_id=value.strategy_id,
        session_id=value.session_id,
    )


def read_scope(value: pb.RiskScope) -> Scope:
    return Scope(value.account_id, value.principal, value.instrument_id, value.strategy_id, value.session_id)


def limit_set(value: LimitSet) -> pb.LimitSet:
    return pb.LimitSet(
        limit_id=value.limit_id,
        scope=None if value.scope == EVERYTHING else scope(value.scope),
        limits={name: canonical(amount) for name, amount in value.values.items()},
        lists=[pb.WordList(name=name, words=sorted(words)) for name, words in sorted(value.words.items())],
        mode=enums.LIMIT_MODE.number[value.mode],
        override=value.override,
        note=value.note,
        etag=etag(value),
        update_time=timestamp(value.update_time),
        updated_by=value.updated_by,
    )


def read_limit_set(value: pb.LimitSet, path: str = "limit_set") -> LimitSet:
    wrong = [
        (f"{path}.limits[{name}]", "must be a decimal number such as 100.25, not below zero")
        for name, text in sorted(value.limits.items())
        if UNSIGNED.fullmatch(text) is None
    ]
    names = [each.name for each in value.lists]
    wrong += [
        (f"{path}.lists[{name}]", "stands here twice")
        for name in sorted({n for n in names if names.count(n) > 1})
    ]
    if wrong:
        raise InvalidRequest(wrong)
    return LimitSet(
        value.limit_id,
        read_scope(value.scope),
        {name: Decimal(text) for name, text in value.limits.items()},
        {each.name: frozenset(each.words) for each in value.lists},
        enums.LIMIT_MODE.member.get(value.mode, Mode.ENFORCE),
        value.override,
        value.note,
    )


def merged(known: LimitSet | None, wanted: LimitSet, paths: Sequence[str]) -> LimitSet:
    """``wanted`` in what ``paths`` name, ``known`` in all else; without paths it is all of ``wanted``."""
    if not paths:
        return wanted
    found = known or LimitSet(wanted.limit_id, wanted.scope)
    values, words = dict(found.values), dict(found.words)
    for path in paths:
        kind, _, name = path.partition(".")
        if kind == "limits" and name:
            _take(values, wanted.values, name)
        elif kind == "lists" and name:
            _take(words, wanted.words, name)
        elif kind in _WHOLE and not name:
            found = replace(found, **{kind: getattr(wanted, kind)})
        else:
            raise InvalidRequest([("update_paths", f"{path} is no part of a limit set; there are {_PARTS}")])
    return replace(found, values=values, words=words)


def _take(into: dict[str, Decimal] | dict[str, frozenset[str]], given: object, name: str) -> None:
    known = dict(given)  # type: ignore[call-overload] # either mapping
    if name in known:
        into[name] = known[name]
    else:
        into.pop(name, None)


_WHOLE = {"scope", "mode", "override", "note"}
_PARTS = "limits.NAME, lists.NAME, scope, mode, override, note"


def usage(value: Usage) -> pb.LimitUsage:
    return pb.LimitUsage(
        rule_id=value.rule_id,
        limit_id=value.limit_id,
        mode=enums.LIMIT_MODE.number[value.mode],
        limit=canonical(value.limit),
        used=_amount(value.used),
        headroom=_amount(value.headroom),
        instrument_id=value.instrument_id,
    )


def line(value: Line) -> pb.ControlResult:
    return pb.ControlResult(
        rule_id=value.rule_id,
        reason=enums.REJECT_REASON.number[value.reason],
        passed=value.passed,
        mode=enums.LIMIT_MODE.number[value.mode],
        limit_id=value.limit_id,
        text=value.text,
        limit=_amount(value.limit),
        used=_amount(value.used),
        observed=_amount(value.observed),
        headroom=_amount(value.headroom),
    )


def decision(row: DecisionRow) -> pb.RiskDecision:
    return pb.RiskDecision(
        decide_time=timestamp(row.time),
        request_id=row.request_id,
        allowed=row.allowed,
        breaches=map(breach, row.breaches),
        noted=[breach(each.breach) for each in row.noted],
        measures=[
            pb.LimitMeasure(
                rule_id=each.rule_id,
                limit_id=each.limit_id,
                limit=canonical(each.limit),
                observed=canonical(Decimal(each.observed)),
            )
            for each in row.measures
        ],
        policy_version=row.policy_version,
    )


def events(values: Sequence[RiskEvent]) -> Iterator[pb.RiskEvent]:
    for value in values:
        yield pb.RiskEvent(
            sequence=value.sequence,
            time=timestamp(value.time),
            kind=enums.RISK_EVENT_KIND.number[value.kind],
            scope=scope(value.scope),
            order_id=value.order_id,
            request_id=value.request_id,
            breaches=map(breach, value.breaches),
            limit_id=value.limit_id,
            text=value.text,
            principal=value.principal,
            policy_version=value.policy_version,
        )


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else canonical(value)
