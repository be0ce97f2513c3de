"""Tells any number of listeners that something has changed; what it was they look up themselves, each at its own pace."""

from __future__ import annotations

import asyncio


class News:
    """``count`` goes up with each change, so that a listener who was busy knows that it has missed some."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.count = 0
        self.closed = False

    def tell(self) -> None:
        self.count += 1
        self._wake()

    def close(self) -> None:
        """No more will come: whoever waits is woken to say goodbye."""
        self.closed = True
        self._wake()

    async def beyond(self, count: int, timeout: float) -> bool:
        """Wait for news after the first ``count``; False after ``timeout`` seconds or when it closes."""
        try:
            async with asyncio.timeout(timeout):
                while self.count <= count and not self.closed:
                    await self._event.wait()
        except TimeoutError:
            return False
        return self.count > count

    def _wake(self) -> None:
        event, self._event = self._event, asyncio.Event()
        event.set()
