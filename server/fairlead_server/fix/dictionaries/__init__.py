"""The data dictionaries, one text file a version, and the validators made of them; each is read when it is first needed.

FIX.4.x has one file. A FIXT.1.1 session has two: the transport's own, for header, trailer and session messages, and
that of the application version, which Logon(A) names in DefaultApplVerID(1137) and a message may in ApplVerID(1128).
"""

from functools import lru_cache
from importlib import resources
from typing import Final

from fairlead_server.fix.dictionary import Dictionary, parse
from fairlead_server.fix.errors import UnknownVersion
from fairlead_server.fix.validation import Validator
from fairlead_server.fix.versions import FIXT

APPLICATIONS: Final = {
    "2": "FIX.4.0",
    "3": "FIX.4.1",
    "4": "FIX.4.2",
    "5": "FIX.4.3",
    "6": "FIX.4.4",
    "7": "FIX.5.0",
    "8": "FIX.5.0SP1",
    "9": "FIX.5.0SP2",
}
"""By ApplVerID(1128). FIX.2.7 and FIX.3.0, which it can name as well, have no dictionary."""
TRANSPORTS: Final = frozenset({FIXT, "FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4"})
"""By BeginString(8)."""


@lru_cache
def load(version: str) -> Dictionary:
    if version not in TRANSPORTS and version not in APPLICATIONS.values():
        raise UnknownVersion(version)
    return parse((resources.files(__name__) / f"{version}.txt").read_text(encoding="ascii"))


def application(begin_string: str, appl_ver_id: str | None) -> str:
    """The version of a session's application messages. ``appl_ver_id`` is for FIXT.1.1 alone. Raises UnknownVersion."""
    if begin_string not in TRANSPORTS:
        raise UnknownVersion(begin_string)
    if begin_string != FIXT:
        return begin_string
    if appl_ver_id not in APPLICATIONS:
        raise UnknownVersion(f"{begin_string} with ApplVerID(1128)={appl_ver_id}")
    return APPLICATIONS[appl_ver_id]


@lru_cache
def validator(begin_string: str, appl_ver_id: str | None, *, user_defined: bool) -> Validator:
    """Shared by all sessions of the version. Raises UnknownVersion."""
    version = application(begin_string, appl_ver_id)
    return Validator(load(begin_string), load(version), user_defined=user_defined)
