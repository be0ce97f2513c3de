"""Opaque tokens that clients hold for us: stream cursors and page tokens, signed so that nobody can make one up."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any

import msgspec
from google.protobuf.message import Message

_MAC = 12  # bytes


class TokenError(Exception):
    """The token is not one of ours, or not for this use. ``reason`` is an ErrorReason without its prefix."""

    def __init__(self, field: str, reason: str, text: str, **facts: str) -> None:
        self.field = field
        self.reason = reason
        self.facts = facts
        super().__init__(text)


class Kind(Enum):
    CURSOR = "c"
    PAGE = "p"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the log: after ``sequence``. ``filter_id`` is 0 where it fits any filter."""

    epoch: int
    sequence: int
    filter_id: int = 0


def filter_id(message: Message) -> int:
    """A digest of a filter, never 0; the same for equal filters, in whatever order their values come."""
    parts = [
        f"{field.name}={sorted(map(str, value)) if field.is_repeated else value}"
        for field, value in sorted(message.ListFields(), key=lambda item: item[0].number)
    ]
    return int.from_bytes(blake2b(";".join(parts).encode(), digest_size=7).digest(), "big") or 1


class Tokens:
    """Makes and reads tokens with the secret of one store; those of another are refused."""

    def __init__(self, secret: bytes, epoch: int) -> None:
        self._secret = secret
        self.epoch = epoch

    def cursor(self, sequence: int, filter_id: int = 0) -> str:
        return self._seal(Kind.CURSOR, [self.epoch, sequence, filter_id])

    def page(self, filter_id: int, *key: int | str) -> str:
        return self._seal(Kind.PAGE, [filter_id, *key])

    def open_cursor(self, field: str, token: str, filter_id: int, head: int) -> Cursor:
        epoch, sequence, wanted = self._open(field, Kind.CURSOR, token, "CURSOR_INVALID", (int, int, int))
        if epoch != self.epoch or sequence > head:
            text = "the log was rebuilt or restored since this cursor was given out; begin with a snapshot"
            epochs = {"cursor_epoch": str(epoch), "epoch": str(self.epoch)}
            raise TokenError(field, "CURSOR_EPOCH_MISMATCH", text, **epochs)
        if wanted not in (0, filter_id):
            raise TokenError(field, "CURSOR_FILTER_MISMATCH", "the cursor belongs to another filter")
        return Cursor(epoch, sequence, wanted)

    def open_page(self, token: str, filter_id: int, *types: type) -> list[Any]:
        wanted, *key = self._open("page_token", Kind.PAGE, token, "PAGE_TOKEN_INVALID", (int, *types))
        if wanted != filter_id:
            raise TokenError("page_token", "PAGE_TOKEN_INVALID", "the page token belongs to another request")
        return key

    def _seal(self, kind: Kind, values: Sequence[int | str]) -> str:
        payload = kind.value.encode() + msgspec.msgpack.encode(values)
        return base64.urlsafe_b64encode(self._mac(payload) + payload).decode().rstrip("=")

    def _open(self, field: str, kind: Kind, token: str, reason: str, types: tuple[type, ...]) -> list[Any]:
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            sealed = b""
        mac, payload = sealed[:_MAC], sealed[_MAC:]
        if not hmac.compare_digest(mac, self._mac(payload)) or payload[:1] != kind.value.encode():
            raise TokenError(field, reason, "the token was not given out by this server")
        values: list[Any] = msgspec.msgpack.decode(payload[1:], type=list)
        if tuple(map(type, values)) != types:
            raise TokenError(field, reason, "the token is for another method")
        return values

    def _mac(self, payload: bytes) -> bytes:
        return blake2b(payload, key=self._secret, digest_size=_MAC).digest()
