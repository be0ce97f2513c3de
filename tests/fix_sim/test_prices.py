from decimal import Decimal
from pathlib import Path

import pytest
from fix_sim.errors import StartError
from fix_sim.prices import read_universe


def test_the_universe_that_comes_along_has_twenty_stocks_gold_and_the_euro() -> None:
    prices = read_universe()

    assert len(prices) == 22
    assert prices["AAPL"] == Decimal("230.10")
    assert prices["INTC"] == Decimal("23.15")
    assert {"XAUUSD", "EURUSD"} <= set(prices)


def test_a_file_of_ones_own_replaces_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("symbol,last_price\nBRK/B,412.5\n")

    assert read_universe(file) == {"BRK/B": Decimal("412.5")}


@pytest.mark.parametrize(
    ("text", "line", "wrong"),
    [
        ("", "line 1", "header"),
        ("AAPL,230.10\n", "line 1", "header"),
        ("symbol,last_price\n", "", "no symbol"),
        ("symbol,last_price\nAAPL\n", "line 2", "1 columns"),
        ("symbol,last_price\nAAPL,230\nA B,1\n", "line 3", "'A B' is not a symbol"),
        ("symbol,last_price\nAAPL,NaN\n", "line 2", "'NaN' is not a price"),
        ("symbol,last_price\nAAPL,much\n", "line 2", "'much' is not a price"),
        ("symbol,last_price\nAAPL,0\n", "line 2", "'0' is not a price"),
        ("symbol,last_price\nAAPL,1\nAAPL,2\n", "line 3", "AAPL comes twice"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, text: str, line: str, wrong: str) -> None:
    file = tmp_path / "broken.csv"
    file.write_text(text)

    with pytest.raises(StartError) as refused:
        read_universe(file)
    assert (line in refused.value.where, wrong in refused.value.wrong) == (True, True)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "unreadable.csv"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(StartError, match=r"unreadable\.csv: cannot be read"):
        read_universe(file)
