"""The tests of the session notice whatever is broken in it."""

import pytest

from tests.mutants import MUTANTS, PACKAGE, ROOT, Mutant, survivors


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_no_mutant_survives() -> None:
    assert list(survivors()) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_can_still_be_planted(mutant: Mutant) -> None:
    text = (ROOT / "server" / PACKAGE / "fix" / f"{mutant.module}.py").read_text()

    assert text.count(mutant.whole) == 1
