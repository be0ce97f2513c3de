"""What stays as it is for a whole run: how the session is set, how slow everything is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, time, timedelta
from random import Random

from fairlead_server.domain.venue_rules import ChainMode
from fairlead_server.fix.schedule import Hours, Schedule
from fairlead_server.venue.settings import Throttle
from fix_sim.masses import MassPolicy
from fix_sim.network import Network as Delays


@dataclass(frozen=True)
class Surroundings:
    version: str
    slowest: float  # of the network, in seconds one way
    patience: float  # for the disk
    thinking: Delays | None  # the broker's
    throttle: Throttle | None
    next_expected: bool
    resend_chunk: int
    resend_stale: timedelta
    heart_bt_int: int
    sessions: dict[str, str]  # SenderCompID(49) by name; the instruments are shared out
    chain_mode: ChainMode
    schedule: Schedule
    mass_cancel: MassPolicy | None  # the broker's; None: the session does without

    @staticmethod
    def drawn(chance: Random) -> Surroundings:
        throttle = Throttle(chance.randint(3, 40), chance.randint(1, 10), timedelta(milliseconds=500))
        think = timedelta(milliseconds=chance.choice([1, 50, 400]))
        version = chance.choice(["FIX.4.2", "FIX.4.4", "FIX.4.4", "FIX.5.0SP2"])
        return Surroundings(
            version,
            chance.choice([0.001, 0.02, 0.3]),
            chance.choice([0.0005, 0.01, 0.1, 1.5]),
            Delays(think, think, chance.randrange(1000)) if chance.random() < 0.3 else None,
            throttle if chance.random() < 0.4 else None,
            chance.random() < 0.3 and version != "FIX.4.2",  # which has no NextExpectedMsgSeqNum(789)
            chance.choice([0, 0, 0, 5]),
            timedelta(seconds=chance.choice([0.5, 3, 60])),
            chance.choice([5, 30]),
            {"BROKER": "FAIRLEAD", "SECOND": "FAIRLEAD2"}
            if chance.random() < 0.4
            else {"BROKER": "FAIRLEAD"},
            chance.choice([ChainMode.SERIAL, ChainMode.SERIAL, ChainMode.CHAINED, ChainMode.ACCEPTED]),
            _SHUT_FOR_A_WHILE if chance.random() < 0.2 else Schedule.always(),
            chance.choice([None, *MassPolicy]) if version != "FIX.4.2" else None,
        )


_SHUT_FOR_A_WHILE = Schedule(
    (Hours(frozenset(range(7)), time(15, 0, 14, tzinfo=UTC), time(15, 0, 4, tzinfo=UTC)),)
)
"""In the first quarter of a minute of a run, whatever else happens then."""
