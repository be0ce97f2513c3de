"""Repeating groups are found where the specification has them, and put back as they were."""

from fairlead_server.fix import groups
from fairlead_server.fix.dictionary import Block
from fairlead_server.fix.message import Fields
from hypothesis import given
from hypothesis import strategies as st

SUB_IDS = Block({523: 0, 803: 1})
PARTIES = Block({448: 0, 447: 1, 802: 2, 452: 3}, groups={802: SUB_IDS})
ORDER = Block({11: 0, 453: 1, 54: 2}, groups={453: PARTIES})


def fields(text: str) -> Fields:
    return [(int(tag), value) for tag, value in (part.split("=") for part in text.split("|"))]


def test_entries_and_the_entries_within_them() -> None:
    order = groups.read(
        fields("11=a|453=2|448=A|447=D|802=2|523=x|803=1|523=y|452=1|448=B|452=3|54=1"), ORDER
    )

    first, second = order.group(453)
    assert order.fields == fields("11=a|453=2|54=1")
    assert (first[448], first[452], second[448], second.integer(452)) == ("A", "1", "B", 3)
    assert [sub[523] for sub in first.group(802)] == ["x", "y"]
    assert second.group(802) == ()


def test_an_entry_without_its_first_field_is_one_all_the_same() -> None:
    assert [entry.fields for entry in groups.read(fields("453=2|447=D|452=1|447=C"), ORDER).group(453)] == [
        fields("447=D|452=1"),
        fields("447=C"),
    ]


def test_what_does_not_belong_to_the_group_ends_it() -> None:
    order = groups.read(fields("453=1|448=A|54=1|447=D"), ORDER)

    assert [entry.fields for entry in order.group(453)] == [fields("448=A")]
    assert order.fields == fields("453=1|54=1|447=D")


def test_a_group_that_is_counted_twice_has_all_the_entries() -> None:
    assert len(groups.read(fields("453=1|448=A|54=1|453=1|448=B"), ORDER).group(453)) == 2


def test_fields_ascend_and_entries_follow_the_specification() -> None:
    order = groups.read(fields("453=2|448=A|452=1|447=D|802=1|523=x|803=1|448=B|54=1|11=a"), ORDER)

    assert groups.ascending(order, ORDER) == fields(
        "11=a|54=1|453=2|448=A|447=D|802=1|523=x|803=1|452=1|448=B"
    )


@given(st.lists(st.tuples(st.sampled_from([11, 453, 448, 447, 802, 523, 803, 452, 54]), st.just("1"))))
def test_no_field_is_lost_or_invented(given_fields: Fields) -> None:
    again = groups.ascending(groups.read(given_fields, ORDER), ORDER)

    assert sorted(again) == sorted(given_fields)
