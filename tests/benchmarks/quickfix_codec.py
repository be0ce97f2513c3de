"""QuickFIX's share of the codec benchmark: run by the Python that has it, which has nothing of ours.

The first line of stdin is JSON: the header and body of each message and its frame. Each line after it asks for a round,
and is answered with a line of JSON: microseconds of CPU a message, by name.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import quickfix

Fields = Sequence[tuple[int, str]]

DICTIONARY = quickfix.DataDictionary(str(Path(sys.prefix) / "share/quickfix/FIX44.xml"))


def encode(fields: tuple[Fields, Fields]) -> str:
    message = quickfix.Message()
    header = message.getHeader()
    for tag, value in fields[0]:
        header.setField(tag, value)
    for tag, value in fields[1]:
        message.setField(tag, value)
    return str(message.toString())


def decode(frame: str) -> Any:
    """BodyLength(9) and CheckSum(10) are verified, as a session does."""
    return quickfix.Message(frame, DICTIONARY, True)


def validate(message: Any) -> None:
    DICTIONARY.validate(message)


def cpu_us(work: Callable[[Any], object], inputs: Sequence[Any]) -> float:
    gc.collect()
    began = process_time()
    for one in inputs:
        work(one)
    return (process_time() - began) * 1e6 / len(inputs)


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    frames, bodies, tags = asked["frames"], asked["bodies"], asked["read"]

    def read(frame: str) -> list[str]:
        message = decode(frame)
        return [message.getField(tag) for tag in tags]

    def whole(fields: tuple[Fields, Fields]) -> None:
        validate(decode(encode(fields)))

    validate(decode(frames[0]))
    print(json.dumps({"read": read(frames[0]), "encoded": encode(bodies[0])}), flush=True)
    for _ in sys.stdin:
        figures = {
            "decode us": cpu_us(decode, frames),
            "decode, read 10 us": cpu_us(read, frames),
            "encode us": cpu_us(encode, bodies),
            "decode, validate us": cpu_us(lambda frame: validate(decode(frame)), frames),
            "whole us": cpu_us(whole, bodies),
        }
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
