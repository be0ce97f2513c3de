"""Archives and dies, again and again, until all is archived: ``python -m tests.routing.retention_child URL FOLDER``.

Each child of it dies a step later than the one before had begun, so that every step of some piece is somebody's last;
says where they died.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from itertools import count, cycle
from pathlib import Path

from fairlead_server.routing.pipeline import Act
from fairlead_server.store.archive import Folder
from fairlead_server.store.batch import Batch
from fairlead_server.store.database import Store, open_store

from tests.routing.past import Keeper

_LONGEST = 18  # steps that a child lives: a piece and a half


class Death:
    def __init__(self, step: int) -> None:
        self._step = step
        self._seen = count(1)

    def may_come(self, where: str) -> None:
        if next(self._seen) == self._step:
            print(where, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


class DyingFolder(Folder):
    def __init__(self, path: Path, death: Death) -> None:
        super().__init__(path)
        self._file_of = path
        self._death = death

    def append(self, name: str, size: int, lines: Iterable[str]) -> int:
        self._death.may_come("before the file")
        done = super().append(name, size, lines)
        self._death.may_come("behind the file")
        return done

    def _append(self, file: Path, size: int, member: bytes) -> int:
        """Half of it may be all that got there."""
        super()._append(file, size, member[: len(member) // 2])
        self._death.may_come("within the file")
        return super()._append(file, size, member)


async def _archive(store: Store, folder: Path, death: Death) -> None:
    begin = store.begin

    def begin_or_die(batch: Batch) -> Act:
        death.may_come("before the rows")
        rest = begin(batch)

        def finish_or_die() -> None:
            death.may_come("before the commit")
            rest()
            death.may_come("behind the commit")

        return finish_or_die

    store.begin = begin_or_die  # type: ignore[method-assign]
    await Keeper(store, DyingFolder(folder, death)).once()


def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    for step in cycle(range(1, _LONGEST + 1)):
        child = os.fork()
        if not child:
            asyncio.run(_archive(open_store(url), folder, Death(step)))
            os._exit(0)
        if not os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            return


if __name__ == "__main__":
    main()
