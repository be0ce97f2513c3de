"""What the published cases leave out: the quick way and the orderly one agree, whatever the message."""

from dataclasses import replace

import pytest
from fairlead_server.fix import dictionaries, formats
from fairlead_server.fix.message import decode
from fairlead_server.fix.reasons import Problem, Reason
from fairlead_server.fix.validation import Validator
from hypothesis import given
from hypothesis import strategies as st

from tests.fix.transcript import START, frame

FIX_4_4 = dictionaries.validator("FIX.4.4", None, user_defined=False)
ORDER = "35=D|34=2|11=a|55=X|54=1|60=20260302-14:30:00|40=1"


def problem(text: str, validator: Validator = FIX_4_4) -> Problem | None:
    return validator.problem(decode(frame(text, "FIX.4.4", START)))


def test_a_right_message_has_no_problem() -> None:
    assert problem(ORDER) is None
    assert problem(ORDER + "|453=1|448=A|447=D|452=1") is None
    assert problem(ORDER + "|453=01|448=A|802=1|523=x|18=1 2") is None
    assert problem(ORDER.replace("|11=", "|627=2|628=A|628=B|11=")) is None
    assert problem(ORDER.replace("|11=", "|627=1|628=A|628=B|11=")) == Problem(Reason.GROUP_COUNT, 627)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("35=D|34=2|58=x|43=Y", Problem(Reason.OUT_OF_ORDER, 43)),
        ("35=ZZ|34=2|58=x|999=", Problem(Reason.UNKNOWN_MSG_TYPE)),
        ("35=D|34=2|-52|999=", Problem(Reason.REQUIRED_TAG_MISSING, 52)),
        ("35=D|34=2|50=|999=", Problem(Reason.REQUIRED_TAG_MISSING, 11)),
        (ORDER + "|50=", Problem(Reason.OUT_OF_ORDER, 50)),
        ("35=0|34=2|50=|999=", Problem(Reason.NO_VALUE, 50)),
        ("35=0|34=2|112=|112=", Problem(Reason.NO_VALUE, 112)),
        ("35=0|34=2|112=a|999=|112=a", Problem(Reason.REPEATED, 112)),
        (ORDER + "|38=x|44=", Problem(Reason.BAD_FORMAT, 38)),
        (ORDER + "|59=z|7=1", Problem(Reason.NOT_OF_MESSAGE, 7)),
        (ORDER + "|59=z|999=1", Problem(Reason.OUT_OF_RANGE, 59)),
        (ORDER + "|999=1|1000=1", Problem(Reason.UNKNOWN_TAG, 999)),
        (ORDER + "|453=2|448=A|999=", Problem(Reason.GROUP_COUNT, 453)),
        (ORDER + "|453=1|448=A|802=1|523=", Problem(Reason.NO_VALUE, 523)),
        ("35=R|34=2|131=q|146=1|58=x", Problem(Reason.GROUP_COUNT, 146)),
        ("35=E|34=2|66=a|394=1|68=1|73=1|11=a|55=X|54=1", Problem(Reason.REQUIRED_TAG_MISSING, 67)),
    ],
)
def test_the_first_problem_is_told(text: str, expected: Problem) -> None:
    assert problem(text) == expected


def test_tags_that_users_define_pass_where_they_are_allowed() -> None:
    allowing = dictionaries.validator("FIX.4.4", None, user_defined=True)

    assert problem(ORDER + "|5000=a|9999=b|9999=c", allowing) is None
    assert problem(ORDER + "|4999=a", allowing) == Problem(Reason.UNKNOWN_TAG, 4999)
    assert problem(ORDER + "|5000=", allowing) == Problem(Reason.NO_VALUE, 5000)
    assert problem(ORDER + "|5000=a") == Problem(Reason.UNKNOWN_TAG, 5000)


def test_numbers_that_the_version_has_and_the_dictionary_does_not_describe_pass() -> None:
    latest = dictionaries.validator("FIXT.1.1", "9", user_defined=False)

    assert problem(ORDER + "|40000=a|40000=b", latest) is None
    assert problem(ORDER + "|49999=a", latest) == Problem(Reason.UNKNOWN_TAG, 49999)


def test_the_body_of_a_message() -> None:
    body = FIX_4_4.body("D")

    assert body is not None
    assert body.required == {11, 54, 60, 40}
    assert FIX_4_4.body("ZZ") is None


GOOD = {
    35: "D",
    11: "a",
    55: "X",
    54: "1",
    60: "20260302-14:30:00",
    40: "1",
    38: "5",
    18: "1 2",
    112: "x",
    453: "1",
}
FIELD = st.tuples(
    st.sampled_from([*GOOD, 1, 7, 43, 50, 58, 59, 97, 99, 114, 386, 336, 448, 447, 802, 523, 999, 5000]),
    st.sampled_from(["", "0", "1", "2", "Y", "x", "1 2", "1.50", "+1", "20260302-14:30:00"]),
)


@given(st.sampled_from("0D8ER"), st.lists(FIELD, max_size=12), st.booleans())
def test_the_quick_way_and_the_orderly_one_agree(
    msg_type: str, fields: list[tuple[int, str]], whole: bool
) -> None:
    body = [*GOOD.items(), *fields] if whole else fields
    text = "|".join([f"35={msg_type}", "34=2", *(f"{tag}={value}" for tag, value in body if tag != 35)])
    message = decode(frame(text, "FIX.4.4", START))
    plan = FIX_4_4._plan(msg_type)
    assert plan is not None

    quick = plan.passes(message)
    orderly = FIX_4_4._judge(message, plan)

    assert not quick or orderly is None
    assert quick or orderly is not None
    never = replace(plan, required=frozenset({0}))
    assert not never.passes(message)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("INT", ["0", "-5", "007"], ["", "+1", "1.0", "x", "1" * 19, " 1"]),
        ("SEQNUM", ["0", "5"], ["-1", "", "1.0"]),
        ("QTY", ["1", "-1", "1.", ".5", "002000.00"], ["", "-", ".", "+1", "1e3", "1,0", "1" * 31]),
        ("BOOLEAN", ["Y", "N"], ["", "y", "YN"]),
        ("CHAR", ["a", " "], ["", "ab"]),
        (
            "UTCTIMESTAMP",
            ["20260302-14:30:00", "20260302-23:59:60.123456"],
            ["20261302-14:30:00", "20260302-24:00:00"],
        ),
        ("UTCTIMEONLY", ["14:30:00", "14:30:00.123"], ["14:30", "14:30:00.1"]),
        ("LOCALMKTDATE", ["20260302"], ["20260332", "2026-03-02", ""]),
        ("MONTHYEAR", ["202603", "20260302", "202603w2"], ["202613", "202603w6", "2026"]),
        ("DAYOFMONTH", ["1", "01", "31"], ["0", "32", ""]),
    ],
)
def test_a_text_is_a_value_of_its_type_or_not(kind: str, right: list[str], wrong: list[str]) -> None:
    test = formats.TESTS[kind]

    assert all(test(text) for text in right)
    assert not any(test(text) for text in wrong)
