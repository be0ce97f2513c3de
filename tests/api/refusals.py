"""What a client sees of a refused call."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

_Detail = TypeVar("_Detail", bound=Message)


@dataclass(frozen=True)
class Refused:
    code: grpc.StatusCode
    text: str
    reason: str
    domain: str
    facts: dict[str, str]
    metadata: dict[str, Any]
    status: Any  # google.rpc.Status

    def detail(self, kind: type[_Detail]) -> _Detail:
        """The one detail of this kind."""
        (packed,) = [any_ for any_ in self.status.details if any_.Is(kind.DESCRIPTOR)]
        detail = kind()
        packed.Unpack(detail)
        return detail

    @property
    def kinds(self) -> list[str]:
        """The details by their names, ErrorInfo first."""
        return [any_.type_url.rsplit(".")[-1] for any_ in self.status.details]

    @property
    def fields(self) -> list[str]:
        """The fields that are wrong."""
        return [violation.field for violation in self.detail(error_details_pb2.BadRequest).field_violations]

    @property
    def size(self) -> int:
        return len(self.metadata["grpc-status-details-bin"])


async def refused(call: Awaitable[object]) -> Refused:
    """How ``call`` was refused; it must have been."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return told(caught.value)


def told(error: grpc.aio.AioRpcError) -> Refused:
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    (packed,) = [any_ for any_ in status.details if any_.Is(error_details_pb2.ErrorInfo.DESCRIPTOR)]
    info = error_details_pb2.ErrorInfo()
    packed.Unpack(info)
    return Refused(
        error.code(),
        error.details() or "",
        info.reason,
        info.domain,
        dict(info.metadata),
        metadata,
        status,
    )
