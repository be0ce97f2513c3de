"""Notices a database server that is connected and silent, which no timeout of TCP or of the server itself does.

Whoever waits for an answer sits in the driver and cannot be called back. So a thread of its own looks after all of
them and shuts the socket of one that has waited too long: the driver then sees its connection lost, and says so.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from time import monotonic

_LOOK_EVERY = 0.5  # seconds


class Deadlines:
    def __init__(self) -> None:
        self._due: dict[socket.socket, float] = {}
        self._lock, self._stop = Lock(), Event()
        self._thread = Thread(target=self._run, name="deadlines", daemon=True)
        self._thread.start()

    @contextmanager
    def within(self, seconds: float, descriptor: int) -> Iterator[None]:
        """The connection of this socket ends if the block takes longer."""
        # A descriptor of our own: theirs may be closed within the block, and its number be another's by then.
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            with self._lock:
                self._due[connection] = monotonic() + seconds
            try:
                yield
            finally:
                with self._lock:
                    del self._due[connection]

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_EVERY):
            now = monotonic()
            with self._lock:
                for connection, due in self._due.items():
                    if due <= now:
                        _shut(connection)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # the other side was quicker
        connection.shutdown(socket.SHUT_RDWR)
