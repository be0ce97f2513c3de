"""Fixtures for the tests of this folder."""

import pytest

pytest.register_assert_rewrite("tests.interop.audit", "tests.interop.exchange", "tests.system.world")

from tests.interop.exchange import client_settings, exchange  # noqa: E402 - only then does a failing audit ...
from tests.interop.market import market, settings  # noqa: E402 - ... say what differs
from tests.system.conftest import yard  # noqa: E402

__all__ = ["client_settings", "exchange", "market", "settings", "yard"]
