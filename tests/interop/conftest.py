"""Fixtures for the tests of this folder."""

import pytest

pytest.register_assert_rewrite("tests.interop.audit")

from tests.interop.market import market, settings  # noqa: E402 - only then does a failing audit say what differs

__all__ = ["market", "settings"]
