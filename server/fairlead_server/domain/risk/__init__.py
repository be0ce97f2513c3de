"""Pre-trade risk: one table of small pure controls, limits as data, and what one order has to pass.

``table`` has the controls, ``gates`` and ``caps`` what each of them asks, ``limits`` what binds an order, ``chain`` asks.
"""

from fairlead_server.domain.risk.chain import (
    Examination,
    examine_amend,
    examine_new,
    examine_waiting,
    examine_waiting_amend,
)
from fairlead_server.domain.risk.limits import Limits, LimitSet, Mode
from fairlead_server.domain.risk.proposal import AccountPolicy, Policy, Proposal
from fairlead_server.domain.risk.rates import Rates
from fairlead_server.domain.risk.standing import Around, Standing
from fairlead_server.domain.risk.table import CONTROLS

__all__ = [
    "CONTROLS",
    "AccountPolicy",
    "Around",
    "Examination",
    "LimitSet",
    "Limits",
    "Mode",
    "Policy",
    "Proposal",
    "Rates",
    "Standing",
    "examine_amend",
    "examine_new",
    "examine_waiting",
    "examine_waiting_amend",
]
