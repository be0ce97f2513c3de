from datetime import UTC, datetime

import pytest
from fairlead_server.fix.dialect import dialect
from fairlead_server.fix.errors import UnknownVersion
from fairlead_server.fix.versions import FIXT, time_digits

from tests.fix.versions import SPOKEN, spoken


@pytest.mark.parametrize("version", SPOKEN)
def test_a_session_speaks_the_version_that_it_names(version: str) -> None:
    assert spoken(version).version == version


@pytest.mark.parametrize(
    ("begin_string", "appl_ver_id"), [("FIX.9", None), (FIXT, None), (FIXT, "1"), (FIXT, "99")]
)
def test_a_version_without_a_dictionary_is_refused(begin_string: str, appl_ver_id: str | None) -> None:
    with pytest.raises(UnknownVersion):
        dialect(begin_string, appl_ver_id)


def test_outside_fixt_the_application_version_is_the_sessions_own() -> None:
    assert dialect("FIX.4.2", "9").version == "FIX.4.2"


@pytest.mark.parametrize(
    ("msg_type", "tag", "versions"),
    [
        ("D", 60, ["FIX.4.2", "FIX.4.3", "FIX.4.4", "FIX.5.0", "FIX.5.0SP1", "FIX.5.0SP2"]),
        ("8", 20, ["FIX.4.0", "FIX.4.1", "FIX.4.2"]),
        ("D", 1138, ["FIX.5.0", "FIX.5.0SP1", "FIX.5.0SP2"]),
        ("zz", 1, []),
    ],
)
def test_fields_come_and_go_with_the_versions(msg_type: str, tag: int, versions: list[str]) -> None:
    assert [version for version in SPOKEN if spoken(version).has(msg_type, tag)] == versions


def test_what_is_required_is_not_merely_there() -> None:
    assert spoken("FIX.4.3").requires("D", 21)
    assert not spoken("FIX.4.4").requires("D", 21)
    assert not spoken("FIX.4.4").requires("zz", 21)


def test_only_an_enumerated_field_knows_values() -> None:
    assert spoken("FIX.5.0").knows(150, "L")
    assert not spoken("FIX.4.4").knows(150, "L")
    assert not spoken("FIX.4.0").knows(150, "0")
    assert not spoken("FIX.4.4").knows(58, "text")


def test_an_identifier_may_be_a_number() -> None:
    assert spoken("FIX.4.0").is_number(17)
    assert not spoken("FIX.4.1").is_number(17)
    assert not spoken("FIX.4.0").is_number(1128)


def test_messages_come_with_the_versions() -> None:
    assert not spoken("FIX.4.1").has_message("j")
    assert spoken("FIX.4.2").has_message("j")


def test_optional_fields_are_said_where_there_is_a_word_for_them() -> None:
    fields = [(1, "ACC"), (125, "F"), (11, "X")]

    assert spoken("FIX.4.0").optional("F", *fields) == [(125, "F"), (11, "X")]
    assert spoken("FIX.4.2").optional("F", *fields) == [(1, "ACC"), (11, "X")]


@pytest.mark.parametrize("version", SPOKEN)
def test_a_second_has_no_fraction_before_4_2(version: str) -> None:
    time = datetime(2026, 11, 20, 15, 0, 0, 123456, tzinfo=UTC)
    old = version in {"FIX.4.0", "FIX.4.1"}

    assert spoken(version).time(60, time) == (60, "20261120-15:00:00" if old else "20261120-15:00:00.123")
    assert time_digits(SPOKEN[version][0]) == (0 if old else 3)
