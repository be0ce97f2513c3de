"""A PostgreSQL server of the tests' own, from the programs that are installed, in a folder that is gone afterwards.

``FAIRLEAD_POSTGRES_URL`` names a database on another server instead, in which the tests make and drop schemas.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGQUIT, Signals
from time import monotonic, sleep
from urllib.parse import quote

import psycopg
import pytest

from tests.system.processes import free_port

OLDEST = 15
_STARTING = 60.0  # seconds
_MEMORY = Path("/dev/shm")  # where to be forced to the disk costs nothing


class Server:
    """Runs as a user of its own where we are root, as PostgreSQL demands."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.port = free_port()
        self._programs = programs
        self._folder = folder
        self._as_user: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            user = _servant()
            shutil.chown(folder, user)
            # Not subprocess's own `user`: that way the child runs gRPC's fork handlers, and may die of them.
            self._as_user = ("setpriv", f"--reuid={user}", "--clear-groups", "--")
        options = ("--username", "fairlead", "--auth", "trust", "--encoding", "UTF8", "--locale", "C")
        self._run("initdb", "--pgdata", str(folder / "data"), *options)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://fairlead@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Unless it runs already."""
        if self._process is not None:
            return
        settings = (
            "listen_addresses=127.0.0.1",
            f"port={self.port}",
            f"unix_socket_directories={self._folder}",
        )
        words = [word for setting in settings for word in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user, self._programs / "postgres", "-D", self._folder / "data", *words],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
            )
        self._answers(monotonic() + _STARTING)

    def stop(self, how: Signals = SIGINT) -> None:
        """SIGINT ends all connections and then itself, SIGQUIT itself at once, as a crash would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_STARTING)
            self._process = None

    def log(self) -> str:
        return (self._folder / "log").read_text()

    def _answers(self, until: float) -> None:
        while True:
            try:
                psycopg.connect(_plain(self.url), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                ended = self._process is not None and self._process.poll() is not None
                if ended or monotonic() > until:
                    self._process = None if ended else self._process
                    raise AssertionError(self.log()[-2000:]) from error
                sleep(0.05)
            else:
                return

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as_user, self._programs / program, *arguments],
            cwd=self._folder,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def started(*, in_memory: bool = True) -> Iterator[Server]:
    """Skips the test, with the reason, where there is nothing to start."""
    found = programs()
    if found is None:
        pytest.skip(f"no PostgreSQL {OLDEST} or newer is installed here, nor named by FAIRLEAD_POSTGRES_URL")
    folder = Path(
        tempfile.mkdtemp(
            prefix="fairlead-", dir=_MEMORY if in_memory and os.access(_MEMORY, os.W_OK) else None
        )
    )
    server = Server(found, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop(SIGQUIT)
        shutil.rmtree(folder)


@contextmanager
def schema(url: str) -> Iterator[str]:
    """The URL of a schema of its own, which is quicker made than a database."""
    name = f"t{uuid.uuid4().hex}"
    execute(url, f"CREATE SCHEMA {name}")
    yield f"{url}{'&' if '?' in url else '?'}options={quote(f'-csearch_path={name}')}"
    execute(url, f"SET lock_timeout = '10s'; DROP SCHEMA {name} CASCADE")


def execute(url: str, sql: str) -> list[tuple[object, ...]]:
    """On a connection of its own, as any other program would."""
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


def programs() -> Path | None:
    on_path = shutil.which("postgres") or shutil.which("initdb")
    places = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *([Path(on_path).resolve().parent] if on_path else []),
    ]
    found = [(version, place) for place in places if (version := _version(place)) >= OLDEST]
    return max(found)[1] if found else None


def _version(place: Path) -> int:
    if not (place / "initdb").exists() or not (place / "postgres").exists():
        return 0
    said = subprocess.run(
        [place / "postgres", "--version"], check=True, capture_output=True, text=True
    ).stdout
    return int(said.split()[2].partition(".")[0])


def _servant() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"
