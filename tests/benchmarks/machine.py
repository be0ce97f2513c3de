"""What the figures were measured on: they mean nothing without it."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from tests.benchmarks.figures import percentile

_SYNCS = 200
_PAGE = 4096


def facts(folder: Path) -> dict[str, str]:
    """``folder`` is where the store will be: its disk is measured too."""
    return {
        "commit": _commit(),
        "machine": f"{os.cpu_count()} x {_processor()}, Linux {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.2f} (what else runs on this machine)",
        "disk": f"{_sync_ms(folder):.2f} ms for a page to be on it (fdatasync, median of {_SYNCS})",
        "python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in ("grpcio", "protobuf", "sqlalchemy")),
        "sqlite": sqlite3.sqlite_version,
    }


def _commit() -> str:
    described = ("git", "describe", "--always", "--dirty", "--exclude=*")
    return subprocess.run(described, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _processor() -> str:
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return str(names[0]) if names else platform.machine()


def _sync_ms(folder: Path) -> float:
    """A log grows by whole pages, each on the disk before the next: what a commit costs at the very least."""
    times = []
    path = folder / "sync"
    with path.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(bytes(_PAGE))
            began = perf_counter()
            os.fdatasync(file.fileno())
            times.append(perf_counter() - began)
    path.unlink()
    return percentile(times, 50) * 1e3
