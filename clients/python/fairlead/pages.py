"""Lists that fetch their pages as they are read."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page; `cursor` is the stream's position that it is as of, empty where there is no stream."""

    items: Sequence[T]
    next_page_token: str
    cursor: str = ""


class Listing(Generic[T]):
    """An iterable over all pages. Iterating again asks again."""

    def __init__(self, fetch: Callable[[str], Page[T]], *, moving: bool = False) -> None:
        self._fetch = fetch
        self._moving = moving
        self.cursor = ""
        """Known once iteration has begun: subscribe after it and nothing falls between list and stream."""

    def __iter__(self) -> Iterator[T]:
        page = self._fetch("")
        self.cursor = page.cursor
        yield from page.items
        while page.next_page_token:
            page = self._fetch(page.next_page_token)
            self.cursor = page.cursor if self._moving else self.cursor
            yield from page.items


class AsyncListing(Generic[T]):
    """As :class:`Listing`, for ``async for``."""

    def __init__(self, fetch: Callable[[str], Awaitable[Page[T]]], *, moving: bool = False) -> None:
        self._fetch = fetch
        self._moving = moving
        self.cursor = ""

    async def __aiter__(self) -> AsyncIterator[T]:
        page = await self._fetch("")
        self.cursor = page.cursor
        for item in page.items:
            yield item
        while page.next_page_token:
            page = await self._fetch(page.next_page_token)
            self.cursor = page.cursor if self._moving else self.cursor
            for item in page.items:
                yield item
