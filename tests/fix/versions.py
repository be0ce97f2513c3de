"""Every version that there is, for tests that hold in all of them."""

from typing import Final

from fairlead_server.fix import dictionaries
from fairlead_server.fix.dialect import Dialect, dialect
from fairlead_server.fix.message import Fields, decode, encode
from fairlead_server.fix.reasons import Problem
from fairlead_server.fix.versions import FIXT

SPOKEN: Final = {
    "FIX.4.0": ("FIX.4.0", None),
    "FIX.4.1": ("FIX.4.1", None),
    "FIX.4.2": ("FIX.4.2", None),
    "FIX.4.3": ("FIX.4.3", None),
    "FIX.4.4": ("FIX.4.4", None),
    "FIX.5.0": (FIXT, "7"),
    "FIX.5.0SP1": (FIXT, "8"),
    "FIX.5.0SP2": (FIXT, "9"),
}
"""BeginString(8) and DefaultApplVerID(1137) by application version."""


def spoken(version: str) -> Dialect:
    return dialect(*SPOKEN[version])


def problem(version: str, msg_type: str, fields: Fields) -> Problem | None:
    """What a strict peer would have to say about this body."""
    begin_string, appl_ver_id = SPOKEN[version]
    frame = encode(begin_string, msg_type, "ONE", "OTHER", 7, "20261120-15:00:00", fields)
    validator = dictionaries.validator(begin_string, appl_ver_id, user_defined=False)
    return validator.problem(decode(frame))
