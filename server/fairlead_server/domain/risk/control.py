"""What a control is: a row of the one table that is asked, documented and listed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from fairlead_server.domain.reject import RejectReason
from fairlead_server.domain.risk.limits import Bound, WordBound
from fairlead_server.domain.risk.proposal import Proposal
from fairlead_server.domain.vocabulary import Word


class Applies(Word):
    ALWAYS = "ALWAYS"  # to every order and every amend
    INCREASE = "INCREASE"  # not to an amend that only takes quantity away
    NEW = "NEW"  # to new orders only
    AMEND = "AMEND"  # to amends only


class Finding(Struct, frozen=True):
    text: str
    limit: object = ""
    observed: object = ""


class Gate(Struct, frozen=True):
    """Asks about something that is or is not so; ``source`` is where the rule comes from."""

    rule_id: str
    reason: RejectReason
    applies: Applies
    text: str  # what it is for
    source: str
    test: Callable[[Proposal], Finding | None]
    sudden: bool = False  # asked once more of an order that had to wait for its turn


class ListGate(Struct, frozen=True):
    """Asks about words that a limit set holds; each set that has such a list is asked by itself."""

    rule_id: str
    reason: RejectReason
    applies: Applies
    text: str
    source: str
    limit: str  # the name of the list in a limit set
    kind: str  # what its words are: "instrument", "side" ...
    test: Callable[[Proposal, WordBound], Finding | None]


class Unit(Word):
    QUANTITY = "QUANTITY"
    VALUE = "VALUE"  # in the currency of the instrument, or of the account
    COUNT = "COUNT"
    PERCENT = "PERCENT"
    BASIS_POINTS = "BASIS_POINTS"
    PER_SECOND = "PER_SECOND"
    SECONDS = "SECONDS"
    RATIO = "RATIO"


class Parameter(Struct, frozen=True):
    """Something that stands beside a limit in its set."""

    name: str
    unit: Unit
    default: str
    text: str


UNKNOWN = Decimal("Infinity")  # observed where it cannot be reckoned: more than any limit


class Cap(Struct, frozen=True):
    """Compares what is observed with a limit; each set that has the limit is asked by itself.

    ``observe`` says what it would come to with the proposal, in the scope of the limit; None where it does not concern the
    proposal. It is a breach if that is above the limit, or below where the limit is the ``least``.
    """

    rule_id: str
    reason: RejectReason
    applies: Applies
    text: str
    source: str
    limit: str  # its name in a limit set
    unit: Unit
    dimensions: tuple[str, ...]  # by which its scope may be narrowed, see ``domain/scope.DIMENSIONS``
    breach: str  # what is wrong, in words
    observe: Callable[[Proposal, Bound], Decimal | int | None]
    parameters: tuple[Parameter, ...] = ()
    least: bool = False
    reached: bool = (
        False  # to reach the limit is a breach already: it is of what has happened, not of what would
    )
    counts: bool = False  # what there is beside the order counts
    each: bool = False  # in each instrument by itself
    most: Callable[[Bound], Decimal] = lambda bound: bound.value  # what must not be exceeded

    def breaks(self, observed: Decimal | int, bound: Bound) -> bool:
        most = self.most(bound)
        if self.least:
            return observed < most
        return observed >= most if self.reached else observed > most


Control = Gate | ListGate | Cap
