"""The form of the dictionaries' text, and what the published versions must have in them."""

import pytest
from fairlead_server.fix import dictionaries
from fairlead_server.fix.dictionary import Field, parse
from fairlead_server.fix.errors import UnknownVersion

TEXT = """# A version of our own.
fields
8 BeginString STRING
10 CheckSum STRING
54 Side CHAR 1 2
  5
453 NoPartyIDs NUMINGROUP
also 100-102 200
header 8!
trailer 10!
component Parties: 453!(448! 447
  802(523! 803) 452)
component Outer: Inner! 1
component Inner: 2! 3
message D NewOrderSingle: 11! Parties Outer! 54
message X Strict: Parties! Outer
"""


def test_a_text_is_read() -> None:
    dictionary = parse(TEXT)

    assert dictionary.fields[54] == Field(54, "Side", "CHAR", frozenset({"1", "2", "5"}))
    assert dictionary.fields[8].values == frozenset()
    assert dictionary.also == {100, 101, 102, 200}
    assert dictionary.names == {"D": "NewOrderSingle", "X": "Strict"}
    assert (dictionary.header.required, dictionary.trailer.required) == ({8}, {10})
    assert dictionary.message("Z") is None


def test_a_component_stands_for_its_fields_and_demands_them_only_if_it_is_demanded() -> None:
    dictionary = parse(TEXT)
    order, strict = dictionary.message("D"), dictionary.message("X")
    assert order is not None
    assert strict is not None

    assert list(order.members) == [11, 453, 2, 3, 1, 54]
    assert order.required == {11, 2}
    assert strict.required == {453}


def test_a_group_has_its_own_members() -> None:
    order = parse(TEXT).message("D")
    assert order is not None

    parties = order.groups[453]
    assert (list(parties.members), parties.required, parties.first) == ([448, 447, 802, 452], {448}, 448)
    assert (list(parties.groups[802].members), parties.groups[802].required) == ([523, 803], {523})


VERSIONS = sorted({*dictionaries.TRANSPORTS, *dictionaries.APPLICATIONS.values()})


@pytest.mark.parametrize("version", VERSIONS)
def test_every_block_of_every_version_is_made_of_fields_that_it_describes(version: str) -> None:
    dictionary = dictionaries.load(version)
    blocks = [dictionary.message(msg_type) for msg_type in dictionary.names]

    waiting = [dictionary.header, dictionary.trailer, *(block for block in blocks if block is not None)]
    while waiting:
        block = waiting.pop()
        assert set(block.members) <= set(dictionary.fields)
        assert block.required <= set(block.members)
        assert set(block.groups) <= set(block.members)
        assert all(group.members for group in block.groups.values())
        waiting += block.groups.values()


@pytest.mark.parametrize("version", sorted(dictionaries.APPLICATIONS.values()))
def test_every_version_has_the_messages_that_we_speak(version: str) -> None:
    wanted = (
        "D F G H 8 9 C Q"
        + ("" if version < "FIX.4.2" else " d c j")
        + ("" if version < "FIX.4.3" else " q r")
    )
    wanted += "" if version < "FIX.4.4" else " AE AF"

    assert set(wanted.split()) <= set(dictionaries.load(version).names)


@pytest.mark.parametrize("version", sorted(dictionaries.TRANSPORTS))
def test_every_transport_has_the_session_messages(version: str) -> None:
    transport = dictionaries.load(version)

    assert set("0123 4 5 A".replace(" ", "")) <= set(transport.names)
    assert {8, 9, 35, 34, 49, 52, 56} <= transport.header.required
    assert transport.trailer.required == {10}


@pytest.mark.parametrize(
    ("begin_string", "appl_ver_id"),
    [("FIX.2.7", None), ("FIX.5.0", None), ("FIXT.1.1", None), ("FIXT.1.1", "0")],
)
def test_a_version_that_we_do_not_have(begin_string: str, appl_ver_id: str | None) -> None:
    with pytest.raises(UnknownVersion):
        dictionaries.validator(begin_string, appl_ver_id, user_defined=False)


def test_no_other_file_is_read() -> None:
    with pytest.raises(UnknownVersion) as caught:
        dictionaries.load("../dictionaries/FIX.4.4")
    assert caught.value.version == "../dictionaries/FIX.4.4"
