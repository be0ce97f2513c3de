"""What a message costs with our codec and with simplefix; :mod:`quickfix_codec` is QuickFIX's share, in its own process.

All make the same bytes of the same fields, given as text, and the other way round; that they do is checked first.
Microseconds are of CPU, for the machine may be busy with something else.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from time import process_time
from typing import TypeVar

import simplefix
from fairlead_server.fix import dictionaries
from fairlead_server.fix.framing import Framer
from fairlead_server.fix.message import Message, decode, encode
from fairlead_server.fix.shapes import Shapes

from tests.benchmarks import sample
from tests.benchmarks.figures import Figures
from tests.benchmarks.sample import Field

DECODE, READ, ENCODE = "decode us", "decode, read 10 us", "encode us"
JUDGED = "decode, validate us"  # which simplefix does not
WHOLE = "whole us"  # encode, and the same

_Numbered = tuple[int, list[Field]]
_T = TypeVar("_T")

_VALIDATOR = dictionaries.validator(sample.BEGIN_STRING, None, user_defined=False)


class NotTheSame(Exception):
    """Somebody makes something else of the message than the others; figures of that are worth nothing."""


def ours(numbers: range) -> Figures:
    bodies, frames = _bodies(numbers), _frames(numbers)
    framer, shapes = Framer(), Shapes(_VALIDATOR.patterns)

    def framed(frame: bytes) -> bytes:
        (whole,) = framer.feed(frame)
        assert isinstance(whole, bytes), whole
        return whole

    def decoded(frame: bytes) -> Message:
        return decode(framed(frame))

    def read(frame: bytes) -> list[str]:
        message = decoded(frame)
        return [message[tag] for tag in sample.READ]

    def judged(frame: bytes) -> Message:
        """As a session does."""
        whole = framed(frame)
        message = shapes.read(whole)
        if message is None:
            message = decode(whole)
            check(_VALIDATOR.problem(message), None)
            shapes.learn(message)
        return message

    check(_encoded(bodies[0]), frames[0])
    check(read(frames[0]), sample.reading(numbers[0]))
    check([judged(frame) for frame in frames[:100]][-1], decoded(frames[99]))
    return {
        DECODE: cpu_us(decoded, frames),
        READ: cpu_us(read, frames),
        ENCODE: cpu_us(_encoded, bodies),
        JUDGED: cpu_us(judged, frames),
        WHOLE: cpu_us(lambda numbered: judged(_encoded(numbered)), bodies),
    }


def simplefix_alone(numbers: range) -> Figures:
    bodies, frames = _bodies(numbers), _frames(numbers)
    parser = simplefix.FixParser()

    def decoded(frame: bytes) -> simplefix.FixMessage:
        parser.append_buffer(frame)
        message = parser.get_message()
        assert message is not None
        return message

    def read(frame: bytes) -> list[str]:
        message = decoded(frame)
        return [(message.get(tag) or b"").decode("latin-1") for tag in sample.READ]

    check(_encoded_by_simplefix(bodies[0]), frames[0])
    check(read(frames[0]), sample.reading(numbers[0]))
    decoding = cpu_us(decoded, frames)
    return {
        DECODE: decoding,
        READ: cpu_us(read, frames),
        ENCODE: cpu_us(_encoded_by_simplefix, bodies),
        JUDGED: decoding,
        WHOLE: cpu_us(lambda numbered: decoded(_encoded_by_simplefix(numbered)), bodies),
    }


def cpu_us(work: Callable[[_T], object], inputs: Sequence[_T]) -> float:
    """For each of the inputs."""
    gc.collect()
    began = process_time()
    for one in inputs:
        work(one)
    return (process_time() - began) * 1e6 / len(inputs)


def check(made: object, meant: object) -> None:
    if made != meant:
        raise NotTheSame(f"{made!r} is not {meant!r}")


def _bodies(numbers: range) -> list[_Numbered]:
    return [(number, sample.body(number)) for number in numbers]


def _frames(numbers: range) -> list[bytes]:
    return [sample.frame(number) for number in numbers]


def _encoded(numbered: _Numbered) -> bytes:
    number, body = numbered
    return encode(sample.BEGIN_STRING, "8", sample.SENDER, sample.TARGET, number, sample.SENDING_TIME, body)


def _encoded_by_simplefix(numbered: _Numbered) -> bytes:
    number, body = numbered
    message = simplefix.FixMessage()
    for tag, value in sample.header(number):
        message.append_pair(tag, value)
    for tag, value in body:
        message.append_pair(tag, value)
    return message.encode()
