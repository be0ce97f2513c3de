"""How long answers take on their way, by a seed: the same in every run. Pure, but for the generator that it owns."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random

from msgspec import Struct

from fix_sim.edits import OnWire
from fix_sim.translate import Outgoing


class Network(Struct, frozen=True):
    """Each answer takes ``delay``, and up to ``jitter`` more, evenly spread."""

    delay: timedelta = timedelta()
    jitter: timedelta = timedelta()
    seed: int = 0


class Latency:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._random = Random(network.seed)  # noqa: S311 - to repeat a run, not to keep a secret

    def next(self) -> timedelta:
        return self._network.delay + self._network.jitter * self._random.random()


class Queue:
    """What waits for its time, or for its session to log on; never overtaken by what came later, as on one connection."""

    def __init__(self, waiting: Iterable[Outgoing] = ()) -> None:
        self._waiting: deque[tuple[Outgoing, datetime | None, OnWire]] = deque(
            (outgoing, None, OnWire.WHOLE) for outgoing in waiting
        )

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, outgoing: Outgoing, due: datetime, on_wire: OnWire) -> None:
        before = self._waiting[-1][1] if self._waiting else None
        self._waiting.append((outgoing, due if before is None else max(due, before), on_wire))

    def due(self) -> datetime | None:
        return self._waiting[0][1] if self._waiting else None

    def pop(self, now: datetime) -> tuple[Outgoing, OnWire] | None:
        """The next one, if its time has come."""
        if not self._waiting or (self._waiting[0][1] or now) > now:
            return None
        outgoing, _, on_wire = self._waiting.popleft()
        return outgoing, on_wire
