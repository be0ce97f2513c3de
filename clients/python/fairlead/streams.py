"""Streams that resume by themselves: the waiting and calling around what follows them.

They go on for ever, over restarts of the server and cut connections, unless the request has an end or the
server refuses. A stream that never opens fails after some attempts.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import aclosing
from time import monotonic
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar, cast

import grpc
from google.protobuf.message import Message
from grpc import aio

from fairlead import errors
from fairlead.errors import FairleadError, StreamLost

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)
U = TypeVar("U")
Q_co = TypeVar("Q_co", bound=Message, covariant=True)
R_co = TypeVar("R_co", bound=Message, covariant=True)
R_contra = TypeVar("R_contra", bound=Message, contravariant=True)
U_co = TypeVar("U_co", covariant=True)


class Following(Protocol[Q_co, R_contra, U_co]):
    """What is made of the streams, one after the other. Without I/O."""

    @property
    def finished(self) -> bool: ...
    def opening(self) -> Q_co:
        """The request for the next stream."""

    def deliver(self, message: R_contra) -> Iterator[U_co]:
        """What the message brings."""

    def ended(self) -> None:
        """The stream has ended with OK; raises if that was not asked for."""

    def failed(self, error: FairleadError) -> float:
        """How many seconds to wait before the next stream; raises if there is to be none."""


class Stream(Protocol[R_co]):
    """A running call, synchronous."""

    def __iter__(self) -> Iterator[R_co]: ...
    def cancel(self) -> bool: ...


class AsyncStreams(Generic[Q, R, U]):
    """In asyncio. Close it, or use it as a context manager, to end the stream."""

    def __init__(
        self,
        call: "Callable[[Q], aio.UnaryStreamCall[Q, R]]",
        follower: Following[Q, R, U],
        silence: float,
    ) -> None:
        self._call = call
        self._follower = follower
        self._silence = silence
        self._stream: aio.UnaryStreamCall[Q, R] | None = None
        self._closed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream; iteration, if any, ends as well."""
        self._closed.set()
        if self._stream is not None:
            self._stream.cancel()

    async def updates(self) -> AsyncGenerator[U, None]:
        while not (self._follower.finished or self._closed.is_set()):
            try:
                async with aclosing(self._messages()) as messages:
                    async for message in messages:
                        for update in self._follower.deliver(message):
                            yield update
                self._follower.ended()
            except FairleadError as error:
                if not self._closed.is_set():
                    await self._wait(self._follower.failed(error))

    async def _messages(self) -> AsyncGenerator[R, None]:
        stream = self._stream = self._call(self._follower.opening())
        try:
            while (message := await self._read(stream)) is not None:
                yield message
        finally:
            stream.cancel()

    async def _read(self, stream: "aio.UnaryStreamCall[Q, R]") -> R | None:
        try:
            async with asyncio.timeout(self._silence):
                message = await stream.read()
        except TimeoutError:
            raise StreamLost(f"nothing came for {self._silence:g} s") from None
        except grpc.RpcError as error:
            raise errors.from_rpc(error) from error
        except asyncio.CancelledError:
            if self._closed.is_set():  # by close(), not by whoever cancels the task
                raise StreamLost("closed") from None
            raise
        return cast("R", message) if isinstance(message, Message) else None

    async def _wait(self, delay: float) -> None:
        try:
            async with asyncio.timeout(delay):
                await self._closed.wait()
        except TimeoutError:
            return


class Streams(Generic[Q, R, U]):
    """In the calling thread. Close it, or use it as a context manager, to end the stream."""

    def __init__(self, call: Callable[[Q], Stream[R]], follower: Following[Q, R, U], silence: float) -> None:
        self._call = call
        self._follower = follower
        self._silence = silence
        self._stream: Stream[R] | None = None
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the stream, from any thread; iteration, if any, ends as well."""
        self._closed.set()
        if self._stream is not None:
            self._stream.cancel()

    def updates(self) -> Generator[U, None, None]:
        while not (self._follower.finished or self._closed.is_set()):
            try:
                for message in self._messages():
                    yield from self._follower.deliver(message)
                self._follower.ended()
            except FairleadError as error:
                if not self._closed.is_set():
                    self._closed.wait(self._follower.failed(error))

    def _messages(self) -> Generator[R, None, None]:
        self._stream = self._call(self._follower.opening())
        with _Watched(self._stream, self._silence) as messages:
            yield from messages


class _Watched(Generic[R]):
    """A running call that is cancelled when its reader has waited too long. (A reader that is busy has not.)"""

    def __init__(self, stream: Stream[R], silence: float) -> None:
        self._stream = stream
        self._silence = silence
        self._waiting_since: float | None = None
        self._silent = False
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="fairlead-watchdog", daemon=True)

    def __enter__(self) -> Generator[R, None, None]:
        self._watcher.start()
        return self._messages()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._stream.cancel()
        self._watcher.join()

    def _messages(self) -> Generator[R, None, None]:
        messages = iter(self._stream)
        while (message := self._next(messages)) is not None:
            yield message

    def _next(self, messages: Iterator[R]) -> R | None:
        self._waiting_since = monotonic()
        try:
            return next(messages, None)
        except grpc.RpcError as error:
            if self._silent:
                raise StreamLost(f"nothing came for {self._silence:g} s") from error
            raise errors.from_rpc(error) from error
        finally:
            self._waiting_since = None

    def _watch(self) -> None:
        while not self._over.wait(self._silence / 4):
            since = self._waiting_since
            if since is not None and monotonic() - since > self._silence:
                self._silent = True
                self._stream.cancel()
                return
