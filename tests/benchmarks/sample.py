"""The message by which codec and session are measured: an ExecutionReport(8) of 28 fields and some 320 bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from fairlead_server.fix.message import encode

BEGIN_STRING: Final = "FIX.4.4"
SENDER: Final = "BROKER"
TARGET: Final = "FAIRLEAD"
NOW: Final = datetime(2026, 3, 2, 14, 30, 5, 123_000, tzinfo=UTC)
SENDING_TIME: Final = "20260302-14:30:05.123"
READ: Final = (150, 39, 11, 37, 17, 32, 31, 151, 14, 6)
"""What a router looks up in a report, at the least."""

Field = tuple[int, str]


def header(number: int) -> list[Field]:
    """In the order in which everybody sends it."""
    return [
        (8, BEGIN_STRING),
        (35, "8"),
        (34, str(number)),
        (49, SENDER),
        (52, SENDING_TIME),
        (56, TARGET),
    ]


def body(number: int) -> list[Field]:
    return [
        (37, f"BRK-20260302-{number:06}"),
        (11, f"01KJS3Q7V5Z8M4T2-{number:06}"),
        (17, f"EXEC-20260302-{number:06}"),
        (150, "F"),
        (39, "1"),
        (1, "ACCOUNT-7"),
        (55, "VOD.L"),
        (207, "XLON"),
        (54, "1"),
        (38, "100000"),
        (40, "2"),
        (44, "71.2500"),
        (59, "0"),
        (32, "2500"),
        (31, "71.2400"),
        (151, "72500"),
        (14, "27500"),
        (6, "71.2409"),
        (60, "20260302-14:30:05.121"),
        (58, "partial fill"),
    ]


def frame(number: int) -> bytes:
    return encode(BEGIN_STRING, "8", SENDER, TARGET, number, SENDING_TIME, body(number))


def reading(number: int) -> list[str]:
    values = dict(body(number))
    return [values[tag] for tag in READ]
