"""The universe: which symbols the broker trades and their first reference prices, from a CSV file.

Two columns, ``symbol`` and ``last_price``, under a header line. A file that is not so is refused whole: a symbol
that silently went missing would be noticed only when its orders are rejected.
"""

import csv
import re
from decimal import Decimal, InvalidOperation
from importlib import resources
from pathlib import Path

from fix_sim.errors import StartError

_HEADER = ["symbol", "last_price"]
_SYMBOL = re.compile(r"[A-Za-z0-9./_-]{1,32}")
_HIGHEST = Decimal(10**9)


def read_universe(path: Path | None = None) -> dict[str, Decimal]:
    """Prices by symbol in the order of the file; without a path, of the universe that comes with the simulator."""
    source = path or resources.files("fix_sim") / "universe.csv"
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(
            f"universe {source}", f"cannot be read ({error})", "name a CSV file symbol,last_price"
        ) from None
    prices: dict[str, Decimal] = {}
    rows = csv.reader(lines)
    if next(rows, None) != _HEADER:
        raise StartError(f"{source} line 1", "the header is missing", f"begin with {','.join(_HEADER)}")
    for row in rows:
        where = f"{source} line {rows.line_num}"
        symbol, price = _read_row(row, where)
        if symbol in prices:
            raise StartError(where, f"{symbol} comes twice", "name each symbol once")
        prices[symbol] = price
    if not prices:
        raise StartError(str(source), "there is no symbol in it", "add lines such as AAPL,230.10")
    return prices


def _read_row(row: list[str], where: str) -> tuple[str, Decimal]:
    right = "write a symbol of up to 32 letters, digits and ./_- and a price above 0, such as AAPL,230.10"
    if len(row) != len(_HEADER):
        raise StartError(where, f"{len(row)} columns", right)
    symbol, text = row
    if not _SYMBOL.fullmatch(symbol):
        raise StartError(where, f"{symbol[:40]!r} is not a symbol", right)
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or not 0 < price <= _HIGHEST:
        raise StartError(where, f"{text[:40]!r} is not a price", right)
    return symbol, price
