"""From venue sessions, their plans and their messages to the messages of ``fairlead.v1``."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fairlead.v1 import session_service_pb2 as pb

from fairlead_server.api import enums
from fairlead_server.api.times import duration, timestamp
from fairlead_server.fix import reading
from fairlead_server.fix.message import mask
from fairlead_server.fix.schedule import Schedule
from fairlead_server.routing.ports import Abilities, SessionView
from fairlead_server.store.batch import Direction
from fairlead_server.store.journal import StoredMessage

_NEAR = timedelta(days=14)
DIRECTION = {Direction.IN: pb.MESSAGE_DIRECTION_IN, Direction.OUT: pb.MESSAGE_DIRECTION_OUT}


def session(value: SessionView) -> pb.Session:
    return pb.Session(
        session_id=value.session_id,
        state=pb.SessionState.Value(f"SESSION_STATE_{value.state}"),
        state_reason=value.reason,
        begin_string=value.begin_string,
        sender_comp_id=value.sender_comp_id,
        target_comp_id=value.target_comp_id,
        host=value.host,
        port=value.port,
        next_in=value.next_in,
        next_out=value.next_out,
        epoch=value.epoch,
        connection_number=value.connection_number,
        heart_bt_int=value.heart_bt_int,
        stopped=value.stopped,
        tls=value.tls,
        queued=value.queued,
        unsent_bytes=value.unsent_bytes,
        repair=value.repair,
        state_time=timestamp(value.state_time),
        connect_time=timestamp(value.connect_time),
        active_time=timestamp(value.active_time),
        last_sent_time=timestamp(value.last_sent_time),
        last_received_time=timestamp(value.last_received_time),
        next_open_time=timestamp(value.opens),
        next_close_time=timestamp(value.closes),
        next_reset_time=timestamp(value.next_reset),
    )


def venue_rules(value: Abilities) -> pb.VenueRules:
    rules, takes = value.rules, value.rules.capabilities
    return pb.VenueRules(
        order_types=sorted(map(enums.ORDER_TYPE.number.__getitem__, takes.order_types)),
        times_in_force=sorted(map(enums.TIME_IN_FORCE.number.__getitem__, value.times_in_force)),
        order_capacities=sorted(map(enums.CAPACITY.number.__getitem__, value.order_capacities)),
        amend=takes.amend,
        display_quantity=takes.display_quantity,
        min_quantity=takes.min_quantity,
        post_only=takes.post_only,
        mass_status=rules.mass_status,
        mass_cancel=rules.mass_cancel,
        chain_mode=enums.CHAIN_MODE.number[rules.chain_mode],
        replace_quantity=enums.REPLACE_QUANTITY.number[rules.replace_quantity],
        replace_filled=rules.replace_filled,
        exec_id_scope=enums.EXEC_ID_SCOPE.number[rules.exec_id_scope],
        dont_know_trade=rules.dont_know_trade,
        inflight_warn=duration(rules.inflight_warn),
        inflight_alarm=duration(rules.inflight_alarm),
    )


def plan(schedule: Schedule, begin: datetime, end: datetime) -> pb.GetSessionScheduleResponse:
    first, last = begin - _NEAR, end + _NEAR  # which is as far as the schedule looks
    windows = [
        pb.SessionWindow(
            open_time=timestamp(window.start) if first < window.start else None,
            close_time=timestamp(window.end) if window.end < last else None,
        )
        for window in schedule.windows(begin, end)
    ]
    return pb.GetSessionScheduleResponse(
        from_time=timestamp(begin),
        until_time=timestamp(end),
        open=schedule.is_open(begin),
        windows=windows,
        reset_times=filter(None, map(timestamp, schedule.resets(begin, end))),
        time_zone=_zone(schedule),
    )


def message(stored: StoredMessage) -> pb.SessionMessage:
    row = stored.row
    frame = mask(row.frame)  # it was masked before it was stored: this is for what an older version has kept
    return pb.SessionMessage(
        message_id=stored.message_id,
        session_id=row.session_id,
        epoch=row.epoch,
        direction=DIRECTION[row.direction],
        msg_seq_num=row.msg_seq_num,
        msg_type=row.msg_type,
        msg_type_name=reading.type_name(reading.begin_string(frame), row.msg_type),
        time=timestamp(row.time),
        raw=frame.decode("latin-1").replace("\x01", "|"),
        fields=[
            pb.MessageField(tag=field.tag, name=field.name, value=field.value, meaning=field.meaning)
            for field in reading.read(frame)
        ],
    )


def _zone(schedule: Schedule) -> str:
    """Hours may be of several zones; the one in which they open is the one that people think in."""
    zones = [hours.start.tzinfo for hours in schedule.hours]
    return next((zone.key for zone in zones if isinstance(zone, ZoneInfo)), "UTC")
