"""`fairlead basket FILE.csv`: submits a file of orders, a bounded number at a time.

With a `client_order_id` in each row the file can be run again: what exists is not made twice, and what
follows an order (`then`) has a key that is derived from the order's.
"""

import asyncio
import sys
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from fairlead.async_client import AsyncClient
from fairlead.cli import basket_file
from fairlead.cli.basket_file import Basket, Row, Then
from fairlead.cli.columns import reason, short, state
from fairlead.cli.exits import ExitCode, exit_code, gravest
from fairlead.cli.output import Column, harmless, show, to_json
from fairlead.cli.settings import Settings, say, settings
from fairlead.errors import CallFailed, FairleadError
from fairlead.requests import new_key
from fairlead.v1 import common_pb2
from fairlead.v1.common_pb2 import Order, Reject
from fairlead.v1.order_service_pb2 import (
    AMEND_OUTCOME_REJECTED,
    CANCEL_OUTCOME_REJECTED,
    AmendOrderResponse,
    AmendOutcome,
    CancelOrderResponse,
    CancelOutcome,
)
from fairlead.values import AckLevel, ClientOrder, NewOrder

_NAMESPACE = uuid.UUID(
    "6d1bb2a4-9a0f-5c55-8f3b-3a7d5c1de6b1"
)  # of the request ids that follow from an order's key


@dataclass(slots=True)
class Result:
    """What became of one row."""

    row: Row
    key: str
    order: Order | None = None
    duplicate: bool = False
    then: AmendOrderResponse | CancelOrderResponse | None = None
    error: FairleadError | None = None

    def code(self) -> ExitCode:
        if self.error is not None:
            return exit_code(self.error)
        refused = self.order is not None and self.order.state == common_pb2.ORDER_STATE_REJECTED
        return ExitCode.REFUSED if refused or self.refusal().reason else ExitCode.DONE

    def refusal(self) -> Reject:
        """Of what follows; empty if it was not refused."""
        match self.then:
            case AmendOrderResponse(outcome=outcome) if outcome == AMEND_OUTCOME_REJECTED:
                return self.then.reject
            case CancelOrderResponse(outcome=outcome) if outcome == CANCEL_OUTCOME_REJECTED:
                return self.then.reject
            case _:
                return Reject()


def basket(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with a header; `-` is stdin.")],
    in_flight: Annotated[int, typer.Option(min=1, max=256, help="At most so many at a time.")] = 16,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only look whether the file is right.")] = False,
) -> None:
    """Submit a basket of orders from a CSV file.

    Columns: account_id, instrument_id, side, quantity, order_type; optional client_order_id, price, stop_price,
    time_in_force, and then = amend or cancel with then_quantity, then_price.
    """
    rows = _read(file)
    if check:
        say(f"{file}: {len(rows)} orders, no problems")
        return
    results = asyncio.run(_run(settings(context), rows, in_flight))
    show(results, _COLUMNS, settings(context).output, _as_json)
    say(_summary(results))
    code = gravest({result.code() for result in results})
    if code:
        raise typer.Exit(code)


def _read(file: Path) -> list[Row]:
    found = _load(file)
    for problem in found.problems:
        sys.stderr.write(harmless(problem.at(str(file))) + "\n")
    if found.problems:
        raise typer.Exit(ExitCode.USAGE)
    return found.rows


def _load(file: Path) -> Basket:
    if str(file) == "-":
        return basket_file.read(sys.stdin)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return basket_file.read(lines)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None


async def _run(options: Settings, rows: Sequence[Row], in_flight: int) -> list[Result]:
    slots = asyncio.Semaphore(in_flight)
    async with options.async_client() as client:

        async def submit(row: Row) -> Result:
            async with slots:
                return await _submit(client, row)

        async def refresh(result: Result) -> None:
            async with slots:
                await _refresh(client, result)

        results = await asyncio.gather(*map(submit, rows))
        await asyncio.gather(*map(refresh, results))
    return results


async def _submit(client: AsyncClient, row: Row) -> Result:
    result = Result(row, row.order.get("client_order_id") or new_key())
    order: NewOrder = {**row.order, "client_order_id": result.key, "ack_level": AckLevel.VENUE}
    try:
        response = await client.submit_order(**order)
        result.order, result.duplicate = response.order, response.duplicate
        if response.order.state != common_pb2.ORDER_STATE_REJECTED:
            result.then = await _follow_up(client, row, result.key)
    except FairleadError as error:
        result.error = error
    return result


async def _follow_up(
    client: AsyncClient, row: Row, key: str
) -> AmendOrderResponse | CancelOrderResponse | None:
    order = ClientOrder(row.order["account_id"], key)
    request_id = str(uuid.uuid5(_NAMESPACE, f"{order.account_id}/{key}/{row.then}"))
    match row.then:
        case None:
            return None
        case Then.CANCEL:
            return await client.cancel_order(order, request_id=request_id, ack_level=AckLevel.VENUE)
        case Then.AMEND:
            return await client.amend_order(
                order,
                request_id=request_id,
                quantity=row.then_quantity,
                price=row.then_price,
                ack_level=AckLevel.VENUE,
            )


async def _refresh(client: AsyncClient, result: Result) -> None:
    """Fills go on arriving while later rows are submitted; show the order as it is in the end."""
    if result.order is not None:
        try:
            result.order = await client.get_order(result.order)
        except CallFailed as error:
            result.error = result.error or error


def _order(result: Result) -> Order:
    return result.order or Order()


def _then(result: Result) -> str:
    match result.then:
        case None:
            return ""
        case AmendOrderResponse():
            return f"amend {short(AmendOutcome.DESCRIPTOR, result.then.outcome)}"
        case CancelOrderResponse():
            return f"cancel {short(CancelOutcome.DESCRIPTOR, result.then.outcome)}"


def _remark(result: Result) -> str:
    remarks = (
        "duplicate" if result.duplicate else "",
        reason(_order(result).reject),
        reason(result.refusal()),
        str(result.error or ""),
    )
    return " ".join(filter(None, remarks))


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "line": result.row.line,
        "client_order_id": result.key,
        "duplicate": result.duplicate,
        "order": to_json(result.order) if result.order else None,
        "then": to_json(result.then) if result.then else None,
        "error": str(result.error) if result.error else None,
    }


def _summary(results: Sequence[Result]) -> str:
    states = Counter(
        short(common_pb2.OrderState.DESCRIPTOR, each.order.state) for each in results if each.order
    )
    parts = [f"{count} {name}" for name, count in states.most_common()]
    duplicates = sum(result.duplicate for result in results)
    errors = sum(result.error is not None for result in results)
    parts += [f"{duplicates} of them duplicates"] if duplicates else []
    parts += [f"{errors} with errors"] if errors else []
    return f"{len(results)} orders: " + ", ".join(parts)


_COLUMNS: Sequence[Column[Result]] = (
    Column("line", lambda result: str(result.row.line), number=True),
    Column("client_order_id", lambda result: result.key),
    Column("instrument", lambda result: result.row.order["instrument_id"]),
    Column("side", lambda result: result.row.order["side"].name.lower()),
    Column(
        "quantity", lambda result: _order(result).quantity or str(result.row.order["quantity"]), number=True
    ),
    Column("type", lambda result: result.row.order["order_type"].name.lower()),
    Column(
        "price", lambda result: _order(result).price or str(result.row.order.get("price") or ""), number=True
    ),
    Column("state", lambda result: state(result.order) if result.order else "error"),
    Column("filled", lambda result: _order(result).cum_quantity, number=True),
    Column("average", lambda result: _order(result).average_price, number=True),
    Column("then", _then),
    Column("remark", _remark),
)
