"""BeginString(8) of the versions that rules depend on. As texts they are in the order in which the versions came."""

from typing import Final

FIX_4_1: Final = "FIX.4.1"
FIX_4_2: Final = "FIX.4.2"
FIXT: Final = "FIXT.1.1"
