from datetime import timedelta
from pathlib import Path

import pytest
from fairlead_server.fix.terms import Validation
from fix_sim.config import Settings, read_settings
from fix_sim.errors import StartError
from fix_sim.masses import MassPolicy
from fix_sim.rules import DEFAULT_RULES, Action, Rule


def test_every_setting_can_come_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "sim.toml"
    file.write_text(
        """
        port = 0
        peers = ["ONE", "TWO"]
        versions = ["FIX.4.2"]
        fsync = true
        mass_cancel = "partial"
        [[rules]]
        symbol = "XAUUSD"
        action = "partial"
        slices = 5
        interval_ms = 50
        [[rules]]
        account = "A1"
        action = "reject"
        reason = 3
        text = "over the limit"
        """
    )

    settings = Settings(**read_settings(file))

    assert (settings.port, settings.peers, settings.versions) == (0, ("ONE", "TWO"), ("FIX.4.2",))
    assert settings.fsync is True
    assert settings.mass_cancel is MassPolicy.PARTIAL
    assert settings.rules == (
        Rule(Action.PARTIAL, symbol="XAUUSD", slices=5, interval=timedelta(milliseconds=50)),
        Rule(Action.REJECT, account="A1", reason=3, text="over the limit"),
    )


def test_without_rules_the_default_ones_stay_and_an_empty_list_takes_them_away(tmp_path: Path) -> None:
    file = tmp_path / "sim.toml"
    file.write_text("")
    assert Settings(**read_settings(file)).rules == DEFAULT_RULES

    file.write_text("rules = []")
    assert Settings(**read_settings(file)).rules == ()


@pytest.mark.parametrize(
    ("text", "where", "right"),
    [
        ("port = ", "sim.toml", "TOML"),
        ("prot = 1", "sim.toml prot", "port"),
        ('port = "1"', "sim.toml port", "whole number from 0 to 65535"),
        ("port = true", "sim.toml port", "whole number"),
        ("port = 65536", "sim.toml port", "65535"),
        ("fsync = 1", "sim.toml fsync", "true or false"),
        ('store = ""', "sim.toml store", "a text"),
        ('store = "A\\u0001B"', "sim.toml store", "control characters"),
        ('comp_id = "A:B"', "sim.toml comp_id", "no colon"),
        ("peers = []", "sim.toml peers", "list"),
        ('peers = ["A B"]', "sim.toml peers", "no blank"),
        ('peers = "ONE"', "sim.toml peers", "list"),
        ('versions = ["FIX.5.0"]', "sim.toml versions", "FIX.4.4, FIXT.1.1"),
        ("versions = [[1]]", "sim.toml versions", "FIX.4.4, FIXT.1.1"),
        ('validation = "loose"', "sim.toml validation", "strict or lenient"),
        ('mass_cancel = "no"', "sim.toml mass_cancel", "one of accept, partial, reject, silent"),
        ("rules = 1", "sim.toml rules", "[[rules]]"),
        ("[[rules]]\nsymbol = 'A'", "sim.toml rules[1] action", "never_fill"),
        (
            "[[rules]]\naction = 'fill'\n[[rules]]\naction = 'explode'",
            "sim.toml rules[2] action",
            "never_fill",
        ),
        ("[[rules]]\naction = ['fill']", "sim.toml rules[1] action", "never_fill"),
        ("[[rules]]\naction = 'partial'\nslices = 0", "sim.toml rules[1] slices", "from 1 to 1000"),
        ("[[rules]]\naction = 'partial'\nslice = 3", "sim.toml rules[1] slice", "slices"),
    ],
)
def test_a_broken_file_is_refused_with_the_key_and_what_would_be_right(
    tmp_path: Path, text: str, where: str, right: str
) -> None:
    file = tmp_path / "sim.toml"
    file.write_text(text)

    with pytest.raises(StartError) as refused:
        read_settings(file)
    assert refused.value.where.endswith(where)
    assert right in refused.value.right


def test_the_validation_is_named_in_words(tmp_path: Path) -> None:
    file = tmp_path / "sim.toml"
    file.write_text('validation = "strict"')

    assert Settings(**read_settings(file)).validation is Validation.STRICT
    assert Settings().validation is Validation.LENIENT


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"none\.toml: cannot be read"):
        read_settings(tmp_path / "none.toml")
