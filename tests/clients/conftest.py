from collections.abc import Iterator

import pytest
from fairlead import Client, Retry

from tests.clients.cli import Cli
from tests.clients.fakes import FakeRouter, serving

QUICK = Retry(initial=0.001, maximum=0.002, settle_attempts=5)


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter()


@pytest.fixture
def target(router: FakeRouter) -> Iterator[str]:
    with serving(router) as address:
        yield address


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target, retry=QUICK) as client:
        yield client


@pytest.fixture
def cli(target: str, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(target, capsys)
