"""`fairlead session`: what it asks, what it prints, and the exit code."""

import csv
import io
import json
import signal
from datetime import UTC, datetime

import pytest
from fairlead.v1 import common_pb2
from fairlead.v1 import session_service_pb2 as pb
from fairlead.v1.common_pb2 import ClientOrderRef, OrderRef
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode as Code

from tests.clients.cli import Cli, as_process
from tests.clients.fakes import HANG, Fail, FakeRouter

WHY = ("--reason", "agreed with the desk")


def at(hour: int, minute: int = 0, day: int = 20) -> Timestamp:
    return Timestamp(seconds=int(datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp()))


SIM44 = pb.Session(
    session_id="SIM44",
    state=pb.SESSION_STATE_HALTED,
    state_reason="numbers too low",
    begin_string="FIX.4.4",
    host="127.0.0.1",
    port=9876,
    next_in=12,
    next_out=40,
    heart_bt_int=30,
    queued=3,
    repair="fairlead session reset SIM44 --expected-in 12 --expected-out 40 --reason ...",
    next_close_time=at(22),
)


def message(number: int, **changes: object) -> pb.SessionMessage:
    fields = [
        pb.MessageField(tag=8, name="BeginString", value="FIX.4.4"),
        pb.MessageField(tag=35, name="MsgType", value="D", meaning="NewOrderSingle"),
        pb.MessageField(tag=11, name="ClOrdID", value=f"C{number}"),
        pb.MessageField(tag=54, name="Side", value="1", meaning="Buy"),
        pb.MessageField(tag=9999, value="x"),
    ]
    found = pb.SessionMessage(
        message_id=number,
        direction=pb.MESSAGE_DIRECTION_OUT,
        msg_seq_num=number,
        msg_type="D",
        msg_type_name="NewOrderSingle",
        time=at(15, number),
        raw="8=FIX.4.4|35=D|",
        fields=fields,
    )
    found.MergeFrom(pb.SessionMessage(**changes))  # type: ignore[arg-type] # fields of it
    return found


def page(*messages: pb.SessionMessage) -> pb.ListSessionMessagesResponse:
    return pb.ListSessionMessagesResponse(messages=messages)


# Looking.


def test_with_one_session_go_the_rules_of_its_venue(router: FakeRouter, cli: Cli) -> None:
    rules = pb.VenueRules(
        order_types=[common_pb2.ORDER_TYPE_LIMIT, common_pb2.ORDER_TYPE_STOP_LIMIT],
        amend=True,
        chain_mode=pb.CHAIN_MODE_ACCEPTED,
        inflight_warn=Duration(seconds=1, nanos=500_000_000),
    )
    shown = pb.Session(venue_rules=rules)
    shown.MergeFrom(SIM44)
    router.answers["GetSession"] = [pb.GetSessionResponse(session=shown)]

    assert cli("session", "get", "SIM44") == 0

    facts = dict(line.strip().split(maxsplit=1) for line in cli.out.splitlines())
    assert (facts["order_types"], facts["chain_mode"]) == ("limit stop_limit", "accepted")
    assert (facts["amend"], facts["mass_cancel"]) == ("yes", "no")
    assert (facts["inflight_warn"], facts["inflight_alarm"]) == ("1.5 s", "0 s")


def test_one_session_is_shown_fact_by_fact(router: FakeRouter, cli: Cli) -> None:
    router.answers["GetSession"] = [pb.GetSessionResponse(session=SIM44)]

    assert cli("session", "get", "SIM44") == 0

    facts = dict(line.strip().split(maxsplit=1) for line in cli.out.splitlines())
    assert facts["state"] == "halted"
    assert facts["repair"] == SIM44.repair
    assert facts["next_close"] == "2026-11-20 22:00:00.000Z"
    assert facts["heart_bt_int"] == "30 s"
    assert "active" not in facts  # it never was
    assert "amend" not in facts  # nothing was said of the venue
    assert cli("session", "get", "SIM44", "--output", "json") == 0
    assert json.loads(cli.out)["state"] == "SESSION_STATE_HALTED"


def test_a_session_that_is_not_there_is_3(router: FakeRouter, cli: Cli) -> None:
    router.answers["GetSession"] = [Fail(Code.NOT_FOUND, "SESSION_NOT_FOUND", "no session X")]

    assert cli("session", "get", "X") == 3
    assert cli.err == "fairlead: SESSION_NOT_FOUND: no session X\n"


def test_watching_shows_each_change_and_who_has_gone(router: FakeRouter, cli: Cli) -> None:
    active = pb.Session(session_id="SIM44", state=pb.SESSION_STATE_ACTIVE)
    first = pb.SessionSnapshot(sessions=[SIM44, pb.Session(session_id="OLD")])
    then = pb.SessionChanges(sessions=[active], removed_session_ids=["OLD"])
    router.watches = [
        [
            pb.WatchSessionsResponse(stream_sequence=1, snapshot=first),
            pb.WatchSessionsResponse(stream_sequence=2, changes=then),
            HANG,
        ]
    ]

    assert cli("session", "watch", "SIM44", "OLD", "--limit", "4") == 0

    assert [line.split()[:2] for line in cli.out.splitlines()[1:]] == [
        ["SIM44", "halted"],
        ["OLD", "unspecified"],
        ["SIM44", "active"],
    ]
    assert cli.err == "fairlead: OLD is not configured any more\n"
    assert list(router.received["WatchSessions"][0].session_ids) == ["SIM44", "OLD"]


# Operating.


@pytest.mark.parametrize("command", ["start", "stop"])
def test_a_session_is_started_and_stopped_with_a_reason(router: FakeRouter, cli: Cli, command: str) -> None:
    router.answers["StartSession"] = [pb.StartSessionResponse(session=SIM44)]
    router.answers["StopSession"] = [pb.StopSessionResponse(session=SIM44)]

    assert cli("session", command, "SIM44", *WHY) == 0
    assert cli.out.splitlines()[1].startswith("SIM44")
    (request,) = router.received[f"{command.title()}Session"]
    assert (request.session_id, request.reason) == ("SIM44", WHY[1])
    assert cli("session", command, "SIM44") == 2
    assert "Missing option '--reason'" in cli.err


def test_numbers_are_replaced_by_the_command_that_a_halted_session_names(
    router: FakeRouter, cli: Cli
) -> None:
    router.answers["ResetSessionSequence"] = [pb.ResetSessionSequenceResponse(session=SIM44)]

    assert cli("session", "reset", "SIM44", "--expected-in", "12", "--expected-out", "40", *WHY) == 0
    more = ("--next-in", "7", "--next-out", "8")
    assert cli("session", "reset", "SIM44", "--expected-in", "1", "--expected-out", "1", *more, *WHY) == 0

    requests = router.received["ResetSessionSequence"]
    numbers = [(r.expected_next_in, r.expected_next_out, r.next_in, r.next_out) for r in requests]
    assert numbers == [(12, 40, 1, 1), (1, 1, 7, 8)]


def test_numbers_that_have_moved_are_4_and_one_line(router: FakeRouter, cli: Cli) -> None:
    fail = Fail(
        Code.ABORTED, "SESSION_NUMBERS_MOVED", "session SIM44 expects 13 and sends 41 next, not 12 and 40"
    )
    router.answers["ResetSessionSequence"] = [fail]

    assert cli("session", "reset", "SIM44", "--expected-in", "12", "--expected-out", "40", *WHY) == 4
    assert cli.err == f"fairlead: SESSION_NUMBERS_MOVED: {fail.message}\n"


def test_venues_are_asked_about_an_order_or_a_session(router: FakeRouter, cli: Cli) -> None:
    router.answers["RequestOrderStatus"] = [pb.RequestOrderStatusResponse(asked=3)]

    assert cli("session", "status", "demo/k1") == 0
    assert cli.out.split() == ["asked", "3"]
    assert cli("session", "status", "--session", "SIM44", *WHY, "-o", "json") == 0
    assert json.loads(cli.out) == {"asked": 3}
    assert cli("session", "status") == 2
    assert cli.err == "fairlead: give one of order, session_id\n"

    mine = ClientOrderRef(account_id="demo", client_order_id="k1")
    assert router.received["RequestOrderStatus"] == [
        pb.RequestOrderStatusRequest(order=OrderRef(client_order=mine)),
        pb.RequestOrderStatusRequest(session_id="SIM44", reason=WHY[1]),
    ]


def test_a_reload_says_what_was_different(router: FakeRouter, cli: Cli) -> None:
    done = pb.ReloadSessionsResponse(added_session_ids=["NEW"], removed_session_ids=["OLD"])
    router.answers["ReloadSessions"] = [done]

    assert cli("session", "reload", *WHY) == 0
    assert [line.split() for line in cli.out.splitlines()] == [
        ["session", "change"],
        ["NEW", "added"],
        ["OLD", "removed"],
    ]
    assert cli("session", "reload", *WHY, "--output", "json") == 0
    assert json.loads(cli.out) == {"added_session_ids": ["NEW"], "removed_session_ids": ["OLD"]}


# Plans.

PLAN = pb.GetSessionScheduleResponse(
    open=True,
    time_zone="America/New_York",
    windows=[
        pb.SessionWindow(open_time=at(12), close_time=at(22)),
        pb.SessionWindow(open_time=at(12, day=23), close_time=at(22, day=23)),
    ],
    reset_times=[at(17, day=22)],
)


def test_a_plan_is_shown_in_utc_and_where_the_venue_is(router: FakeRouter, cli: Cli) -> None:
    router.answers["GetSessionSchedule"] = [PLAN]

    assert cli("session", "schedule", "SIM44", "--days", "4", "--output", "csv") == 0

    first, second, third = csv.DictReader(io.StringIO(cli.out))
    assert first == {
        "what": "open",
        "utc": "Fri 2026-11-20 12:00:00 UTC",
        "until_utc": "Fri 2026-11-20 22:00:00 UTC",
        "local": "Fri 2026-11-20 07:00:00 EST",
        "until_local": "Fri 2026-11-20 17:00:00 EST",
    }
    assert (second["what"], second["local"], second["until_utc"]) == (
        "reset",
        "Sun 2026-11-22 12:00:00 EST",
        "",
    )
    assert third["utc"] == "Mon 2026-11-23 12:00:00 UTC"
    assert router.received["GetSessionSchedule"] == [pb.GetSessionScheduleRequest(session_id="SIM44", days=4)]
    assert cli("session", "schedule", "SIM44", "-o", "json") == 0
    assert json.loads(cli.out)["time_zone"] == "America/New_York"
    assert cli("session", "schedule", "SIM44", "-o", "jsonl") == 0
    lines = [json.loads(line) for line in cli.out.splitlines()]
    assert lines[1] == {"what": "reset", "time": "2026-11-22T17:00:00+00:00", "zone": "America/New_York"}
    assert lines[0]["until"] == "2026-11-20T22:00:00+00:00"


def test_what_never_opens_or_closes_is_always_open(router: FakeRouter, cli: Cli) -> None:
    router.answers["GetSessionSchedule"] = [
        pb.GetSessionScheduleResponse(
            time_zone="UTC", windows=[pb.SessionWindow()], reset_times=[at(17, day=22)]
        )
    ]

    assert cli("session", "schedule", "SIM44", "-o", "csv") == 0
    assert cli.out.splitlines()[1] == "always open,,,,"
    assert cli("session", "schedule", "SIM44", "-o", "jsonl") == 0
    assert json.loads(cli.out.splitlines()[0]) == {"what": "always open", "zone": "UTC"}


def test_a_zone_that_this_machine_does_not_know_is_said(router: FakeRouter, cli: Cli) -> None:
    router.answers["GetSessionSchedule"] = [
        pb.GetSessionScheduleResponse(time_zone="Mars/Base", reset_times=[at(17)])
    ]

    assert cli("session", "schedule", "SIM44") == 0
    assert "Fri 2026-11-20 17:00:00 UTC" in cli.out
    assert "does not know the zone 'Mars/Base'" in cli.err


# Messages.


def test_messages_are_lines_that_a_person_can_read_the_newest_last(router: FakeRouter, cli: Cli) -> None:
    broken = message(3, direction=pb.MESSAGE_DIRECTION_IN, msg_type="8")
    broken.ClearField("fields")
    broken.ClearField("msg_type_name")
    router.answers["ListSessionMessages"] = [page(broken, message(2))]

    assert cli("session", "messages", "SIM44") == 0

    heading, first, second = [line.split(maxsplit=5) for line in cli.out.splitlines()]
    assert heading == ["time", "way", "number", "type", "fields"]
    assert first == [
        "2026-11-20",
        "15:02:00.000Z",
        "out",
        "2",
        "NewOrderSingle",
        "ClOrdID=C2 Side=1(Buy) 9999=x",
    ]
    assert second == ["2026-11-20", "15:03:00.000Z", "in", "3", "8", "8=FIX.4.4|35=D|"]


def test_messages_are_searched_by_the_server(router: FakeRouter, cli: Cli) -> None:
    router.answers["ListSessionMessages"] = [page(message(1), message(2), message(3))]
    where = ("--direction", "out", "--type", "D", "--type", "F", "--order", "C1")
    when = ("--since", "2026-11-20T15:00:00Z", "--until", "2026-11-20T16:00:00Z")
    which = ("--from-number", "2", "--to-number", "9", "--epoch", "4", "--earliest", "--limit", "2")

    assert cli("session", "messages", "SIM44", *where, *when, *which, "-o", "json") == 0

    assert [each["msg_seq_num"] for each in json.loads(cli.out)] == ["1", "2"]
    assert router.received["ListSessionMessages"] == [
        pb.ListSessionMessagesRequest(
            session_id="SIM44",
            direction=pb.MESSAGE_DIRECTION_OUT,
            msg_types=["D", "F"],
            order="C1",
            start_time=at(15),
            end_time=at(16),
            min_msg_seq_num=2,
            max_msg_seq_num=9,
            epoch=4,
            order_by=pb.MESSAGE_SORTING_TIME_ASC,
            page_size=2,
        )
    ]


def test_following_has_no_past_to_end_in(cli: Cli) -> None:
    assert cli("session", "messages", "SIM44", "--follow", "--earliest") == 2
    assert cli.err.count("\n") == 1


def test_following_shows_each_message_once_as_it_is_written_down(router: FakeRouter, target: str) -> None:
    early = message(3, time=at(14, 59))  # sent before, written down after what was shown
    router.answers["ListSessionMessages"] = [
        page(message(2), message(1)),
        page(message(1), message(2)),
        page(message(1), early, message(2), message(4)),
    ]

    with as_process(target, "session", "messages", "SIM44", "--follow") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate()

    assert [line.split()[3] for line in lines[1:]] == ["1", "2", "3", "4"]
    assert (process.returncode, rest, errors) == (130, "", "")
    since = [request.start_time for request in router.received["ListSessionMessages"][1:3]]
    assert since == [Timestamp(seconds=at(15, 2).seconds - 10)] * 2


# Where the format is said.


def test_the_format_is_taken_before_the_command_and_after_it(router: FakeRouter, cli: Cli) -> None:
    router.answers["ListSessions"] = [pb.ListSessionsResponse(sessions=[SIM44])]

    for arguments in (("-o", "jsonl", "session", "list"), ("session", "list", "--output", "jsonl")):
        assert cli(*arguments) == 0
        assert json.loads(cli.out)["session_id"] == "SIM44"
    assert cli("--output", "csv", "session", "list", "-o", "jsonl") == 0  # the nearest counts
    assert cli.out.startswith("{")
    assert cli("session", "list", "--output", "xml") == 2
    assert "'xml'" in cli.err
