"""Why the store cannot do what was asked, and what would be right."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

_PASSWORD = re.compile(r"(://[^:/@]*:)[^@]*@")


class StoreError(Exception):
    """The store cannot be opened, read or written. A failed commit has left nothing behind.

    ``cause`` is one line; ``remedy`` says what would be right. A password in the URL is masked.
    """

    def __init__(self, url: str, cause: str, remedy: str) -> None:
        self.url = _PASSWORD.sub(r"\1***@", url)
        self.cause = " ".join(cause.split())
        self.remedy = remedy
        super().__init__(f"store {self.url}: {self.cause}; {remedy}")


@contextmanager
def told_plainly(url: str) -> Iterator[None]:
    """Turn what the database or the driver raises into a :class:`StoreError`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise StoreError(url, str(cause), _remedy(cause)) from error
    except OSError as error:
        raise StoreError(url, error.strerror or str(error), "check the path and its permissions") from error


def _remedy(error: BaseException | None) -> str:
    if isinstance(error, sqlite3.IntegrityError):
        return (
            "a fact was given twice or without the order that it belongs to, which is a fault of the program"
        )
    name: str = getattr(error, "sqlite_errorname", "")
    return next((text for start, text in _REMEDIES if name.startswith(start)), _OTHERWISE)


_OTHERWISE = "see the database's own log"
_REMEDIES = (  # by SQLite's result code, https://www.sqlite.org/rescode.html
    ("SQLITE_FULL", "free some space on the disk"),
    ("SQLITE_BUSY", "close the program that holds the database"),
    ("SQLITE_LOCKED", "close the program that holds the database"),
    ("SQLITE_READONLY", "make the file and its folder writable for this user"),
    ("SQLITE_CANTOPEN", "make the file and its folder readable and writable for this user"),
    ("SQLITE_PERM", "make the file and its folder readable and writable for this user"),
    ("SQLITE_NOTADB", "name a file that Fairlead has made, or none at all"),
    ("SQLITE_CORRUPT", "restore the file from a backup"),
    ("SQLITE_IOERR", "check the disk and the space on it"),
)
