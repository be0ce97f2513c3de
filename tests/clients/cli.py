"""Runs the command line: within the test, or as a process of its own."""

import os
import subprocess
import sys

import pytest
from fairlead.cli.app import run


class Cli:
    """Runs commands against the fake router and keeps what they wrote."""

    def __init__(self, target: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._target = target
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def __call__(self, *arguments: str) -> int:
        code = run(["--server", self._target, *arguments])
        self.out, self.err = self._capsys.readouterr()
        return code


def as_process(target: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fairlead", "--server", target, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "error"},
    )
