"""Scenarios are read strictly: what is wrong is named with its line, and what would be right."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from fix_sim.edits import Edits, OnWire
from fix_sim.errors import StartError
from fix_sim.orders import ExecType
from fix_sim.scenario import (
    Asked,
    Await,
    Break,
    Fault,
    Match,
    Of,
    Orig,
    Refuse,
    RejectMessage,
    Repeat,
    Silence,
    Step,
    Tell,
    TellMassCancel,
    Wait,
)
from fix_sim.scenario_file import parse_scenarios, parse_steps, read_scenarios


def test_a_scenario_is_read_whole() -> None:
    text = """
- name: slow cancel
  title: the cancel takes its time
  match: {symbol: ACME, account: A1, cl_ord_id_prefix: FL, qty: 100}
  times: 2
  steps:
    - new
    - await: cancel
  trial: {client: [submit], until: 7}
"""
    [scenario] = parse_scenarios(text, "slow.yaml")
    assert scenario.name == "slow cancel"
    assert scenario.title == "the cancel takes its time"
    assert scenario.match == Match("ACME", "A1", "FL", Decimal(100))
    assert scenario.times == 2
    assert scenario.steps == (Tell(ExecType.NEW), Await(Asked.CANCEL))
    assert scenario.trial == {"client": ["submit"], "until": "7"}


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("wait: 250ms", Wait(timedelta(milliseconds=250))),
        ("wait: 1.5h", Wait(timedelta(minutes=90))),
        ("await: {asked: replace, within: 2s, qty: 80, price: 9.5, orig: pending}",
         Await(Asked.REPLACE, timedelta(seconds=2), Decimal(80), Decimal("9.5"), Orig.PENDING)),
        ("await: mass_cancel", Await(Asked.MASS_CANCEL)),
        ("mass_cancel_report", TellMassCancel()),
        ("mass_cancel_report: 1", TellMassCancel(1)),
        ("mass_cancel_report: {reason: 99, text: no, leave_out: [11]}",
         TellMassCancel(99, "no", Edits(left_out=frozenset({11})))),
        ("trade", Tell(ExecType.TRADE)),
        ("trade: 100", Tell(ExecType.TRADE, Decimal(100))),
        ("trade: {qty: 100, price: 230.10}", Tell(ExecType.TRADE, Decimal(100), Decimal("230.10"))),
        ("trade_correct: {fill: 1, qty: 90}", Tell(ExecType.TRADE_CORRECT, Decimal(90), fill=1)),
        ("rejected: 3", Tell(ExecType.REJECTED, reason=3)),
        ("restated: {qty: 90, reason: 5, text: less}",
         Tell(ExecType.RESTATED, Decimal(90), reason=5, text="less")),
        ("replaced: {of: last}", Tell(ExecType.REPLACED, of=Of.LAST)),
        ('trade: {set: {151: "7", 14: "9"}, leave_out: [11], poss_resend: true, on_wire: cut}',
         Tell(ExecType.TRADE, edits=Edits(((151, "7"), (14, "9"), (97, "Y")), frozenset({11}), OnWire.CUT))),
        ("cancel_reject: 3", Refuse(3)),
        ("cancel_reject: {reason: 0, text: late, of: last}", Refuse(0, "late", Of.LAST)),
        ("repeat", Repeat()),
        ("business_reject: {reason: 3}", RejectMessage(3)),
        ("session_reject: 1", RejectMessage(1, by_session=True)),
        ("silence", Silence()),
        ("disconnect", Break(Fault.DISCONNECT)),
        ("disconnect_after: 3", Break(Fault.DISCONNECT_AFTER, count=3)),
        ("clock_skew: -5m", Break(Fault.CLOCK_SKEW, timedelta(minutes=-5))),
        ("logout: {count: 2, text: bye}", Break(Fault.LOGOUT, count=2, text="bye")),
    ],
)  # fmt: skip
def test_a_step_is_a_word_and_what_it_says(text: str, step: Step) -> None:
    assert parse_steps(text, "here") == (step,)


def test_steps_may_be_a_list() -> None:
    assert parse_steps("[new, {trade: 5}]", "here") == (Tell(ExecType.NEW), Tell(ExecType.TRADE, Decimal(5)))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "f.yaml: is empty; write a list of scenarios"),
        ("- {name: [", "f.yaml line 1: is no YAML: "),
        ("name: x", "f.yaml line 1: a list is wanted here; begin each of its lines with '- '"),
        ("- name: x", "f.yaml line 1: steps is missing; write steps: ..."),
        ("- steps: []", "f.yaml line 1: name is missing; write name: ..."),
        ("- name: x\n  steps: []\n  stops: 1", "f.yaml line 3: 'stops' means nothing here; use one of name,"),
        ("- name: x\n  name: y\n  steps: []", "f.yaml line 2: 'name' comes twice; write it once"),
        ("- name: x\n  steps:\n  - fill", "f.yaml line 3: 'fill' is no step; use one of await, "),
        ("- name: x\n  steps:\n  - {fill: 1}", "f.yaml line 3: 'fill' means nothing here; use one of await, "),
        ("- name: x\n  steps:\n  - {new: , trade: }", "f.yaml line 3: 2 steps in one; begin each step with '- '"),
        ("- name: x\n  steps:\n  - wait", "f.yaml line 3: wait needs time; write wait: {time: ...}"),
        ("- name: x\n  steps:\n  - wait: 5", "f.yaml line 3: '5' is no time; write a number with one of ms, "),
        ("- name: x\n  steps:\n  - trade: {px: 5}", "f.yaml line 3: 'px' means nothing here; use one of qty,"),
        ("- name: x\n  steps:\n  - trade: much", "f.yaml line 3: 'much' is no amount; write a decimal from 0 on"),
        ("- name: x\n  steps:\n  - trade: 0", "f.yaml line 3: 0 will not do; write a decimal above 0"),
        ("- name: x\n  steps:\n  - trade: [1]", "f.yaml line 3: a table is wanted here; write key: value"),
        ("- name: x\n  steps:\n  - trade: {qty: [1]}", "f.yaml line 3: a value is wanted here, not a list"),
        ("- name: x\n  steps:\n  - await: godot", "f.yaml line 3: 'godot' means nothing here; use one of new, "),
        ("- name: x\n  steps:\n  - cancel_reject", "f.yaml line 3: cancel_reject needs reason; write "),
        ("- name: x\n  steps:\n  - cancel_reject: 9", "f.yaml line 3: 9 is no CxlRejReason(102) that we give"),
        ("- name: x\n  steps:\n  - rejected: -1", "f.yaml line 3: '-1' is not a whole number; write a whole"),
        ("- name: x\n  steps:\n  - new: {set: 5}", "f.yaml line 3: a table is wanted here; write tag: value"),
        ("- name: x\n  steps:\n  - new: {set: {x: 5}}", "f.yaml line 3: 'x' is no tag; write a tag by its number"),
        ("- name: x\n  steps:\n  - new: {set: {34: 5}}", "f.yaml line 3: 34 is the session's to write; use on_wire"),
        ("- name: x\n  steps:\n  - new: {set: {58: ''}}", "f.yaml line 3: '' will not do; write up to 128 printable"),
        ("- name: x\n  steps:\n  - new: {poss_resend: maybe}", "f.yaml line 3: 'maybe' will not do; write true"),
        ("- name: x\n  steps:\n  - new: {on_wire: bent}", "f.yaml line 3: 'bent' means nothing here; use one of"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(text: str, complaint: str) -> None:
    with pytest.raises(StartError) as refused:
        parse_scenarios(text, "f.yaml")
    assert str(refused.value).startswith(complaint)


def test_a_folder_is_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("[{name: second, steps: [new]}]")
    (tmp_path / "a.yaml").write_text("[{name: first, steps: [new]}]")
    assert [scenario.name for scenario in read_scenarios(tmp_path)] == ["first", "second"]
    (tmp_path / "c.yaml").write_text("[{name: first, steps: [new]}]")
    with pytest.raises(StartError, match=r"c\.yaml: 'first' comes twice; give each its own name"):
        read_scenarios(tmp_path)


def test_a_folder_without_scenarios_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="there is no scenario in it"):
        read_scenarios(tmp_path)
    with pytest.raises(StartError, match="cannot be read"):
        read_scenarios(tmp_path / "none.yaml")
