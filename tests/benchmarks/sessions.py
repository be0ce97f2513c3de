"""What a message costs from the one session's ``send`` to the other's ``Received``: two sessions without a network.

Encoding, journal row, framing, decoding, validation and the rules of the session; neither store nor socket. QuickFIX's
session cannot be had without its sockets and threads: what stands beside ours is the least that a program pays for a
message which it encodes and decodes with simplefix, or encodes, decodes and validates with QuickFIX.
"""

from __future__ import annotations

from fairlead_server.fix.events import Received
from fairlead_server.fix.session import Numbers, Role, Session, SessionConfig, Validation

from tests.benchmarks import codec, sample
from tests.benchmarks.figures import Figures

STRICT, LENIENT = "strict us", "lenient us"


def ours(numbers: range) -> Figures:
    return {
        STRICT: _cost(numbers, Validation.STRICT),
        LENIENT: _cost(numbers, Validation.LENIENT),
    }


def _cost(numbers: range, validation: Validation) -> float:
    broker, router = _logged_on(validation)
    seen = 0

    def pass_on(body: list[sample.Field]) -> None:
        nonlocal seen
        sent = broker.send("8", body, sample.NOW)
        events = router.receive(bytes(sent.wire), sample.NOW).events
        seen += len(events) == 1 and isinstance(events[0], Received)

    cost = codec.cpu_us(pass_on, [sample.body(number) for number in numbers])
    codec.check(seen, len(numbers))
    return cost


def _logged_on(validation: Validation) -> tuple[Session, Session]:
    broker, router = (
        Session(SessionConfig(sample.BEGIN_STRING, sender, target, role, validation=validation), Numbers())
        for sender, target, role in (
            (sample.SENDER, sample.TARGET, Role.ACCEPTOR),
            (sample.TARGET, sample.SENDER, Role.INITIATOR),
        )
    )
    broker.connected(sample.NOW)
    to_broker = router.connected(sample.NOW).wire
    while to_broker:
        to_router = broker.receive(bytes(to_broker), sample.NOW).wire
        to_broker = router.receive(bytes(to_router), sample.NOW).wire
    codec.check((broker.active, router.active), (True, True))
    return broker, router
