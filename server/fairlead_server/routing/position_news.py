"""Which positions have changed, for those that watch them: when it is durable, and each at its watcher's own pace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

from fairlead_server.domain.position import HoldingKey
from fairlead_server.routing.news import News
from fairlead_server.store.batch import Batch


class PositionNews(News):
    """Keeps of each position when it changed last, by ``count``, and nothing of the changes before."""

    def __init__(self) -> None:
        super().__init__()
        self._changed: dict[HoldingKey, int] = {}  # the longest ago first
        self._in: dict[str, list[HoldingKey]] = {}  # by instrument_id

    def load(self, keys: Iterable[HoldingKey]) -> None:
        """All of them may be different."""
        self._tell(keys)

    def committed(self, batch: Batch) -> None:
        """These are durable, and what is valued by these prices looks different."""
        if batch.positions or batch.prices:
            priced = (key for instrument_id in batch.prices for key in self._in.get(instrument_id, ()))
            self._tell([*batch.positions, *priced])

    def since(self, count: int) -> Iterator[HoldingKey]:
        """What has changed after the first ``count`` news, the latest first."""
        latest = takewhile(lambda item: item[1] > count, reversed(self._changed.items()))
        return (key for key, _ in latest)

    def _tell(self, keys: Iterable[HoldingKey]) -> None:
        now = self.count + 1
        for key in keys:
            if self._changed.pop(key, None) is None:
                self._in.setdefault(key[1], []).append(key)
            self._changed[key] = now
        self.tell()
