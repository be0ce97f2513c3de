"""What a venue session asks of its connection."""

from __future__ import annotations

from typing import Protocol


class Wire(Protocol):
    """The connection to the venue."""

    def write(self, data: bytes) -> None: ...

    def close(self, reason: str) -> None: ...

    @property
    def unsent(self) -> int:
        """Bytes that the peer has not taken yet."""

    def wake(self) -> None:
        """The session's deadline may have come nearer."""
