"""What the process says of itself: log lines on stderr, one a line, UTC to the millisecond."""

from __future__ import annotations

import logging
import time


def set_up_logging(level: str) -> None:
    handler = logging.StreamHandler()
    formatter = logging.Formatter(
        "{asctime}.{msecs:03.0f}Z {levelname:<8} {message}", "%Y-%m-%dT%H:%M:%S", "{"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # each start would tell of its plugins
