"""The orders that are submitted: made before the clock starts, each filled whole, positions going nowhere."""

from __future__ import annotations

import csv
from pathlib import Path

from fairlead.v1 import common_pb2
from fairlead.v1.order_service_pb2 import SubmitOrderRequest

UNIVERSE = Path("examples/instruments.csv")

_SIDES = (common_pb2.SIDE_BUY, common_pb2.SIDE_SELL)
_STOCKS = 20  # what comes after them has other lots


def prices() -> list[tuple[str, str]]:
    """Instruments and their reference prices."""
    with UNIVERSE.open() as lines:
        rows = [(row["instrument_id"], row["reference_price"]) for row in csv.DictReader(lines)]
    return rows[:_STOCKS]


def requests(universe: list[tuple[str, str]], round_name: str, count: int) -> list[SubmitOrderRequest]:
    """Limit orders through all instruments, each bought and then sold. ``round_name`` makes their keys unique."""
    made = []
    for number in range(count):
        instrument_id, price = universe[number // 2 % len(universe)]
        made.append(
            SubmitOrderRequest(
                account_id="BENCH",
                client_order_id=f"{round_name}-{number:08d}",
                instrument_id=instrument_id,
                side=_SIDES[number % 2],
                quantity="100",
                order_type=common_pb2.ORDER_TYPE_LIMIT,
                price=price,
                time_in_force=common_pb2.TIME_IN_FORCE_DAY,
            )
        )
    return made
