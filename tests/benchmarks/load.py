"""Ways to put load on a server: so many in flight, or so many a second whatever the server does.

A closed loop finds how much goes through. It says little of latency, for it sends less when the server is slow; so the
open loop sends at times drawn beforehand and measures each answer from the time at which its request *should* have
gone out, however late the client came to it (https://www.scylladb.com/2021/04/22/on-coordinated-omission/).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from fairlead.v1.order_service_pb2 import SubmitOrderRequest, SubmitOrderResponse

Submit = Callable[[SubmitOrderRequest], Awaitable[SubmitOrderResponse]]

_SEED = 20_240_229  # the same arrivals for the router and its reference


@dataclass(frozen=True, slots=True)
class Answer:
    """``began`` is when the request was to go out, ``ended`` when its answer was there; seconds of perf_counter."""

    request: SubmitOrderRequest
    response: SubmitOrderResponse
    began: float
    ended: float


async def closed(submit: Submit, requests: Sequence[SubmitOrderRequest], in_flight: int) -> list[Answer]:
    """Each of ``in_flight`` callers sends its next request when it has the answer to its last."""
    answers: list[Answer] = []
    waiting = iter(requests)

    async def caller() -> None:
        for request in waiting:
            began = perf_counter()
            response = await submit(request)
            answers.append(Answer(request, response, began, perf_counter()))

    await asyncio.gather(*(caller() for _ in range(in_flight)))
    return answers


async def open_loop(submit: Submit, requests: Sequence[SubmitOrderRequest], rate: float) -> list[Answer]:
    """``rate`` requests a second on average, with the gaps of independent callers (a Poisson process)."""
    chance = random.Random(_SEED)
    answers: list[Answer] = []

    async def call(request: SubmitOrderRequest, due: float) -> None:
        response = await submit(request)
        answers.append(Answer(request, response, due, perf_counter()))

    due = perf_counter()
    calls = []
    for request in requests:
        due += chance.expovariate(rate)
        if (early := due - perf_counter()) > 0:
            await asyncio.sleep(early)
        calls.append(asyncio.create_task(call(request, due)))
    await asyncio.gather(*calls)
    return answers
