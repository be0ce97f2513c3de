"""The load: a crowd that can go on for hours within its limits, and that trades in batches as well."""

from __future__ import annotations

import uuid
from contextlib import suppress

from fairlead import AsyncClient, ClientOrder, NewOrder, OrderState, Side, errors
from fairlead.v1.order_service_pb2 import BatchSubmitOrdersResponse

from tests.system.crowd import ACCOUNT, Crowd, order_number
from tests.system.world import RESTING

_SIZE = 6  # orders of a batch
_CYCLE = 600  # after so many the quantities begin anew; a multiple of the kinds of orders


def endless(number: int) -> NewOrder:
    """Of the crowd's kinds, buying as much as selling, so that no position outgrows its limit."""
    order = order_number(number % _CYCLE)
    side = Side.BUY if order["instrument_id"] == RESTING or number // 6 % 2 else Side.SELL
    return {**order, "client_order_id": f"C-{number}", "side": side}


class Throng(Crowd):
    async def _trade(self, client: AsyncClient, number: int) -> None:
        if number % 8 == 7:
            await self._trade_together(client, number)
            return
        response = await self._insist(lambda: client.submit_order(**endless(number)))
        await self._note({f"C-{number}": response})
        if OrderState(response.order.state) != OrderState.REJECTED:
            await self._follow(client, number, ClientOrder(ACCOUNT, f"C-{number}"))

    async def _follow(self, client: AsyncClient, number: int, order: ClientOrder) -> None:
        """Of what is amended half is cancelled too, under a key of its own."""
        await super()._follow(client, number, order)
        if number % 12 == 4:
            request_id = str(uuid.UUID(int=number + 2**64))
            with suppress(errors.PreconditionFailed):
                await self._insist(lambda: client.cancel_order(order, request_id=request_id))
                self.requests += 1

    async def _trade_together(self, client: AsyncClient, number: int) -> None:
        keys = [f"C-{number}-{place}" for place in range(_SIZE)]
        orders: list[NewOrder] = [
            {**endless(number + place), "client_order_id": key} for place, key in enumerate(keys)
        ]

        async def submit() -> BatchSubmitOrdersResponse:
            response = await client.batch_submit_orders(orders)
            for result in response.results:
                if result.HasField("error"):
                    raise errors.from_status(result.error)
            return response

        response = await self._insist(submit)
        await self._note({key: result.ok for key, result in zip(keys, response.results, strict=True)})
        resting = [
            ClientOrder(ACCOUNT, str(order["client_order_id"]))
            for order in orders
            if order["instrument_id"] == RESTING
        ]
        await self._insist(lambda: client.batch_cancel_orders(resting))
        self.requests += len(resting)
