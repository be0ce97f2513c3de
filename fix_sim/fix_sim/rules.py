"""Which orders the broker treats in a special way. The first rule that matches decides; none means a plain fill."""

from collections.abc import Iterable
from datetime import timedelta
from enum import Enum

from msgspec import Struct


class Action(Enum):
    FILL = "fill"  # all of it at the reference price as soon as that is at the limit or better
    PARTIAL = "partial"  # the same in `slices` parts, one every `interval`
    NEVER_FILL = (
        "never_fill"  # rests until it is cancelled or expires, whatever the price and the operator do
    )
    MANUAL = "manual"  # rests until an operator fills it
    REJECT = "reject"


class Rule(Struct, frozen=True):
    """An empty ``symbol``, ``account`` or ``cl_ord_id_prefix`` matches every order."""

    action: Action = Action.FILL
    symbol: str = ""
    account: str = ""
    cl_ord_id_prefix: str = ""
    slices: int = 3
    interval: timedelta = timedelta(milliseconds=200)
    reason: int = 0  # OrdRejReason(103); 0 is broker option
    text: str = "refused by a rule of the simulator"

    def matches(self, *, symbol: str, account: str, cl_ord_id: str) -> bool:
        return (
            self.symbol in ("", symbol)
            and self.account in ("", account)
            and cl_ord_id.startswith(self.cl_ord_id_prefix)
        )


PLAIN = Rule()

# What a simulator without a configuration file does, so that a demonstration shows more than one fill an order.
DEFAULT_RULES = (
    Rule(Action.REJECT, cl_ord_id_prefix="REJ"),
    Rule(Action.NEVER_FILL, cl_ord_id_prefix="NEVER"),
    Rule(Action.MANUAL, cl_ord_id_prefix="MANUAL"),
    Rule(Action.PARTIAL, cl_ord_id_prefix="PARTIAL"),
    Rule(Action.MANUAL, account="MANUAL"),
    Rule(Action.PARTIAL, symbol="TSLA", slices=4, interval=timedelta(milliseconds=250)),
    Rule(Action.PARTIAL, symbol="NVDA", slices=3, interval=timedelta(milliseconds=200)),
    Rule(Action.PARTIAL, symbol="XAUUSD", slices=5, interval=timedelta(milliseconds=200)),
    Rule(Action.NEVER_FILL, symbol="INTC"),
    Rule(Action.REJECT, symbol="DIS", reason=2, text="DIS is closed at this broker"),
)


def first_match(rules: Iterable[Rule], *, symbol: str, account: str, cl_ord_id: str) -> Rule:
    found = (rule for rule in rules if rule.matches(symbol=symbol, account=account, cl_ord_id=cl_ord_id))
    return next(found, PLAIN)
