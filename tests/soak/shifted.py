"""The router with a clock that is off by as many seconds as a file says, which may change while it runs.

Only what it takes for the time of day: how long things take the machine tells, as it does when a real clock is set.
"""

from __future__ import annotations

import mmap
import struct
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fairlead_server import __main__ as router
from fairlead_server import app

_SECONDS = struct.Struct("d")


def shift(file: Path, seconds: float) -> None:
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.write(_SECONDS.pack(seconds))


def main() -> None:
    file = Path(sys.argv.pop(1))
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as seconds:

        def now() -> datetime:
            return datetime.now(UTC) + timedelta(seconds=_SECONDS.unpack_from(seconds)[0])

        app.now = now
        router.main()


if __name__ == "__main__":
    main()
