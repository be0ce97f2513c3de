"""BeginString(8) of the versions that rules depend on. As texts they are in the order in which the versions came."""

from typing import Final

FIX_4_0: Final = "FIX.4.0"
FIX_4_1: Final = "FIX.4.1"
FIX_4_2: Final = "FIX.4.2"
FIXT: Final = "FIXT.1.1"


def time_digits(version: str) -> int:
    """Of a second's fraction, as far as any peer can read it: there was none before FIX.4.2."""
    return 3 if version >= FIX_4_2 else 0
