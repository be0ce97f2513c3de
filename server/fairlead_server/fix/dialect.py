"""What an application version has words for, by its dictionary.

An order or a report says the same in every version, but in fields that came, went and were given another number:
TransactTime(60) came to orders with FIX.4.2, ExecTransType(20) went with FIX.4.3, MaxFloor(111) is DisplayQty(1138)
since FIX.5.0. Who writes messages asks here instead of comparing versions, so that the dictionary alone is the judge.
"""

from datetime import datetime
from functools import lru_cache

from fairlead_server.fix import dictionaries
from fairlead_server.fix.values import write_utc_timestamp
from fairlead_server.fix.versions import time_digits


class Dialect:
    """One application version; see :func:`dialect`."""

    def __init__(self, version: str) -> None:
        self.version = version
        self._dictionary = dictionaries.load(version)
        self._digits = time_digits(version)

    def has(self, msg_type: str, tag: int) -> bool:
        """Whether this type of message can carry the field."""
        body = self._dictionary.message(msg_type)
        return body is not None and tag in body.members

    def requires(self, msg_type: str, tag: int) -> bool:
        body = self._dictionary.message(msg_type)
        return body is not None and tag in body.required

    def knows(self, tag: int, value: str) -> bool:
        """Whether an enumerated field has this among its values."""
        field = self._dictionary.fields.get(tag)
        return field is not None and value in field.values

    def is_number(self, tag: int) -> bool:
        field = self._dictionary.fields.get(tag)
        return field is not None and field.type == "INT"

    def has_message(self, msg_type: str) -> bool:
        return msg_type in self._dictionary.names

    def optional(self, msg_type: str, *fields: tuple[int, str]) -> list[tuple[int, str]]:
        """Those of the fields that the message has in this version. For what may go unsaid where there is no word for it."""
        return [field for field in fields if self.has(msg_type, field[0])]

    def time(self, tag: int, time: datetime) -> tuple[int, str]:
        return tag, write_utc_timestamp(time, digits=self._digits)


@lru_cache
def dialect(begin_string: str, appl_ver_id: str | None) -> Dialect:
    """What a session speaks. ``appl_ver_id`` is for FIXT.1.1 alone. Raises UnknownVersion."""
    return Dialect(dictionaries.application(begin_string, appl_ver_id))
