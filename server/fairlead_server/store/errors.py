"""Why the store cannot do what was asked, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

_PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*@|([?&]password=)[^&]*")

FAULT_OF_THE_PROGRAM = (
    "a fact was given twice or without the order that it belongs to, which is a fault of the program"
)
VALUE_OF_THE_PROGRAM = "a value does not fit into its column, which is a fault of the program"
SEE_THE_LOG = "see the database's own log"


def without_password(url: str) -> str:
    return _PASSWORD.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}***", url)


class StoreError(Exception):
    """The store cannot be opened, read or written.

    A commit that fails has left nothing, unless its connection was lost: then it may be durable nevertheless, and
    whoever goes on reads the store again. ``cause`` is one line; ``remedy`` says what would be right. A password in
    the URL is masked.
    """

    def __init__(self, url: str, cause: str, remedy: str) -> None:
        self.url = without_password(url)
        self.cause = " ".join(cause.split())
        self.remedy = remedy
        super().__init__(f"store {self.url}: {self.cause}; {remedy}")

    @property
    def is_fault_of_the_program(self) -> bool:
        """Whether the same would fail again, whatever is done about the database."""
        return self.remedy in (FAULT_OF_THE_PROGRAM, VALUE_OF_THE_PROGRAM)


@dataclass(frozen=True, slots=True)
class Faults:
    """What one driver raises, and what would be right then."""

    kind: type[Exception]
    remedy: Callable[[BaseException], str]


@contextmanager
def told_plainly(url: str, faults: Faults) -> Iterator[None]:
    """Turn what the database or the driver raises into a :class:`StoreError`."""
    try:
        yield
    except (SQLAlchemyError, faults.kind) as error:
        cause = (error.orig or error) if isinstance(error, DBAPIError) else error
        raise StoreError(url, str(cause), faults.remedy(cause)) from error
    except OSError as error:
        raise StoreError(url, error.strerror or str(error), "check the path and its permissions") from error
