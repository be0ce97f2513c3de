from __future__ import annotations

from importlib import resources

import pytest
from fairlead_server.fix import dictionaries
from fairlead_server.fix.message import encode
from fairlead_server.fix.reading import ReadField, _meanings, begin_string, read, type_name

VERSIONS = sorted({*dictionaries.TRANSPORTS, *dictionaries.APPLICATIONS.values()})


def frame(version: str, msg_type: str, *fields: tuple[int, str]) -> bytes:
    return encode(version, msg_type, "A", "B", 7, "20261120-15:00:00", fields)


def test_every_field_has_its_number_its_name_its_value_and_what_that_means() -> None:
    found = read(frame("FIX.4.4", "8", (39, "1"), (54, "5"), (58, "by | hand"), (9999, "x")))

    assert found[0] == ReadField(8, "BeginString", "FIX.4.4", "")
    assert found[2] == ReadField(35, "MsgType", "8", "ExecutionReport")
    assert found[7:-1] == [
        ReadField(39, "OrdStatus", "1", "Partially filled"),
        ReadField(54, "Side", "5", "Sell short"),
        ReadField(58, "Text", "by | hand", ""),
        ReadField(9999, "", "x", ""),
    ]
    assert found[-1].name == "CheckSum"


@pytest.mark.parametrize(
    ("version", "name"),
    [("FIX.4.2", "LastShares"), ("FIX.4.4", "LastQty"), ("FIXT.1.1", "LastQty"), ("FIX.9.9", "LastQty")],
)
def test_a_field_is_called_as_its_version_calls_it(version: str, name: str) -> None:
    assert [field.name for field in read(frame(version, "8", (32, "5"))) if field.tag == 32] == [name]


def test_a_field_that_the_version_lacks_is_called_as_the_newest_calls_it() -> None:
    assert [field.name for field in read(frame("FIX.4.2", "A", (789, "5"))) if field.tag == 789] == [
        "NextExpectedMsgSeqNum"
    ]


def test_what_cannot_be_taken_apart_has_no_fields() -> None:
    assert read(b"8=FIX.4.4\x01nonsense") == []


@pytest.mark.parametrize(
    ("version", "msg_type", "name"),
    [
        ("FIX.4.2", "D", "NewOrderSingle"),
        ("FIX.4.2", "UAV", ""),
        ("FIX.4.4", "A", "Logon"),
        ("FIXT.1.1", "A", "Logon"),
        ("FIXT.1.1", "0", "Heartbeat"),
        ("FIXT.1.1", "8", "ExecutionReport"),
    ],
)
def test_a_type_has_its_name(version: str, msg_type: str, name: str) -> None:
    assert type_name(version, msg_type) == name


def test_a_message_tells_its_version_even_if_it_is_broken() -> None:
    assert begin_string(b"8=FIX.4.2\x019=") == "FIX.4.2"


def test_meanings_are_of_values_that_the_versions_have() -> None:
    known = {
        (number, value)
        for version in VERSIONS
        for number, field in dictionaries.load(version).fields.items()
        for value in field.values
    }

    assert set(_meanings()) - known == set()
    assert all(_meanings().values())


def test_meanings_stand_below_the_names_of_their_fields() -> None:
    text = (resources.files(dictionaries) / "meanings.txt").read_text(encoding="ascii")
    headings = [line.split() for line in text.splitlines() if line[:1].isdecimal()]
    names = {
        (number, field.name)
        for version in VERSIONS
        for number, field in dictionaries.load(version).fields.items()
    }

    assert {(int(number), name) for number, name in headings} <= names
