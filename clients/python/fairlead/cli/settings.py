"""What all commands share: the server, the format, and how to name orders and choices."""

import sys
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TypeVar

import typer

from fairlead.async_client import AsyncClient
from fairlead.cli.output import Format, harmless
from fairlead.client import Client
from fairlead.values import AnyOrder, ClientOrder

E = TypeVar("E", bound=IntEnum)


@dataclass(frozen=True, slots=True)
class Settings:
    """The global options."""

    server: str
    output: Format
    person: str = ""

    def client(self) -> Client:
        return Client(self.server, metadata=self._metadata())

    def async_client(self) -> AsyncClient:
        return AsyncClient(self.server, metadata=self._metadata())

    def _metadata(self) -> dict[str, str]:
        return {"x-client": self.person} if self.person else {}


def settings(context: typer.Context) -> Settings:
    found: Settings = context.obj
    return found


def say(text: str) -> None:
    """One line to stderr."""
    sys.stderr.write(f"fairlead: {harmless(text)}\n")


def order_named(name: str) -> AnyOrder:
    """`ORDER_ID`, or `ACCOUNT/CLIENT_ORDER_ID`."""
    account_id, slash, client_order_id = name.partition("/")
    return ClientOrder(account_id, client_order_id) if slash else name


def member(enum: type[E], name: str) -> E:
    """The enum's member of that name, in whatever letters."""
    try:
        return enum[name.upper().replace("-", "_")]
    except KeyError:
        choices = ", ".join(each.name.lower() for each in enum)
        raise typer.BadParameter(f"{name!r} is none of {choices}") from None


def moment(text: str) -> datetime:
    """A time with its zone, as in ISO 8601."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time such as 2026-11-20T16:00:00Z") from None
    if time.tzinfo is None:
        raise typer.BadParameter(f"{text!r} has no time zone; add Z for UTC")
    return time
