"""Reads what was sent, to answer ResendRequest(2) from."""

from __future__ import annotations

from sqlalchemy import Connection, select

from fairlead_server.fix.terms import Sent
from fairlead_server.store.tables import IS_OUT, messages


def sent(connection: Connection, session_id: str, epoch: int, begin: int, end: int) -> list[Sent]:
    """The numbers from ``begin`` to ``end``, both included, in order; those that were never used are missing."""
    columns = messages.c
    found = select(columns.msg_seq_num, columns.msg_type, columns.time, columns.frame, columns.epoch).where(
        IS_OUT,
        columns.session_id == session_id,
        columns.epoch == epoch,
        columns.msg_seq_num.between(begin, end),
    )
    return [Sent(*row) for row in connection.execute(found.order_by(columns.msg_seq_num))]
