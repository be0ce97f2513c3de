"""A promise to give a sign of life: when it is broken, the scope that it is for is cancelled and paused."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from fairlead_server.domain.scope import Scope


class DeadManSwitch(Struct, frozen=True):
    """``time`` is when it was armed, or ceased to be; signs of life in between leave it as it is."""

    scope: Scope
    timeout: timedelta
    principal: str
    reason: str
    time: datetime
    armed: bool = True
