"""Whatever arrives, the session does not raise, counts rightly and sends nothing but messages."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fix import fuzz_receive
from tests.fix.scenario import play

SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))

FIRST = st.binary(max_size=8)
WORDS = st.sampled_from(fuzz_receive.WORDS).map(str.encode) | st.binary(max_size=4)
FIELDS = st.lists(WORDS, max_size=8).map(b"".join)
LINES = st.one_of(
    st.tuples(st.sampled_from([b"=", b"=", b"+2", b"-1", b""]), FIELDS).map(b"".join),
    st.sampled_from([b"?", b"!", b"~", b"^", b"$bye", b"@\x05", b"@\x24", b"@\x50"]),
)


@pytest.mark.parametrize("seed", fuzz_receive.SEEDS)
def test_a_life_as_it_may_be(seed: bytes) -> None:
    play(seed)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(FIRST, st.lists(LINES, max_size=12))
def test_a_life_by_chance(first: bytes, lines: list[bytes]) -> None:
    play(b"\n".join([first.replace(b"\n", b""), *lines]))


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not there: make soak installs it where it has a wheel, which is Linux on x86-64 up to Python 3.13",
)
def test_a_life_that_a_fuzzer_looks_for(tmp_path: Path) -> None:
    options = fuzz_receive.prepare(tmp_path)
    bounds = (f"-max_total_time={SECONDS}", "-timeout=20", "-max_len=2000", "-len_control=20")

    done = subprocess.run(
        [sys.executable, "-m", "tests.fix.fuzz_receive", *bounds, *options],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )

    assert done.returncode == 0, done.stderr[-8000:]
    print(done.stderr.splitlines()[-1])
