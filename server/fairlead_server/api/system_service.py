"""SystemService: what this server is. Knows no transport."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fairlead.v1 import system_service_pb2 as pb

from fairlead_server.api.caller import Caller
from fairlead_server.api.times import timestamp
from fairlead_server.routing.ports import Clock


@dataclass(frozen=True, slots=True)
class ServerFacts:
    server_id: str
    version: str
    commit: str
    start_time: datetime
    epoch: int  # of the log
    config_hash: str


class SystemService:
    def __init__(self, facts: ServerFacts, clock: Clock) -> None:
        self._facts = facts
        self._clock = clock

    async def get_server_info(
        self,
        request: pb.GetServerInfoRequest,
        caller: Caller,
    ) -> pb.GetServerInfoResponse:
        facts = self._facts
        return pb.GetServerInfoResponse(
            server_info=pb.ServerInfo(
                server_id=facts.server_id,
                version=facts.version,
                commit=facts.commit,
                api_packages=["fairlead.v1"],
                server_time=timestamp(self._clock()),
                start_time=timestamp(facts.start_time),
                epoch=facts.epoch,
                config_hash=facts.config_hash,
            )
        )
