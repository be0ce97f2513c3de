"""What the published files promise, read from their descriptors."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fairlead.v1 import (
    annotations_pb2,
    common_pb2,
    error_reason_pb2,
    execution_service_pb2,
    order_service_pb2,
    reference_service_pb2,
    session_service_pb2,
    system_service_pb2,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

ROOT = Path(__file__).parents[2]
FILES = (
    execution_service_pb2,
    order_service_pb2,
    reference_service_pb2,
    session_service_pb2,
    system_service_pb2,
)
METHODS: list[MethodDescriptor] = [
    method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def fields(message: Descriptor) -> Iterator[FieldDescriptor]:
    """The fields of a message and of the messages in it; a map is one field."""
    for field in message.fields:
        yield field
        inner = field.message_type
        if inner is not None and inner.file.package == "fairlead.v1" and not inner.GetOptions().map_entry:
            yield from fields(inner)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_says_who_may_call_it(method: MethodDescriptor) -> None:
    rule = method.GetOptions().Extensions[annotations_pb2.access]

    assert rule.permission.count(".") == 1
    assert rule.scope != annotations_pb2.SCOPE_UNSPECIFIED


def test_what_changes_anything_is_audited() -> None:
    audited = {m.name for m in METHODS if m.GetOptions().Extensions[annotations_pb2.access].audited}
    reads = ("Export", "Get", "List", "Subscribe", "Watch")

    many = {"UpdateReferencePrices"}  # of which those that a person makes are, and not a feed's

    assert audited == {m.name for m in METHODS if not m.name.startswith(reads)} - many
    assert {"SubmitOrder", "CancelOrder", "StopSession", "ResetSessionSequence"} <= audited


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_string_of_a_request_says_what_it_may_hold(method: MethodDescriptor) -> None:
    strings = [field for field in fields(method.input_type) if field.type == FieldDescriptor.TYPE_STRING]

    formless = [field for field in strings if not field.GetOptions().Extensions[annotations_pb2.field].form]
    assert [field.full_name for field in formless] == []


def test_the_keys_that_make_requests_repeatable_are_required() -> None:
    keys = (
        order_service_pb2.SubmitOrderRequest.DESCRIPTOR.fields_by_name["client_order_id"],
        order_service_pb2.AmendOrderRequest.DESCRIPTOR.fields_by_name["request_id"],
        order_service_pb2.CancelOrderRequest.DESCRIPTOR.fields_by_name["request_id"],
    )

    assert all(key.GetOptions().Extensions[annotations_pb2.field].required for key in keys)


def test_venue_reasons_are_numbered_by_the_fix_values_they_stand_for() -> None:
    numbers = common_pb2.RejectReason.DESCRIPTOR.values_by_name

    assert numbers["REJECT_REASON_VENUE_UNKNOWN_SYMBOL"].number == 300 + 1
    assert numbers["REJECT_REASON_VENUE_OTHER"].number == 300 + 99
    assert numbers["REJECT_REASON_VENUE_CANCEL_UNKNOWN_ORDER"].number == 400 + 1
    assert numbers["REJECT_REASON_VENUE_CANCEL_OTHER"].number == 400 + 99


def test_every_error_reason_fits_into_an_error_info() -> None:
    names = [
        name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    ]

    assert all(name.replace("_", "").isupper() and len(name) <= 63 for name in names)


@pytest.mark.parametrize("python", [sys.executable, ROOT / ".tools/oldest/bin/python"])
def test_the_stubs_load_on_the_newest_and_the_oldest_runtime(python: Path | str) -> None:
    if not Path(python).exists():
        pytest.skip("the oldest runtime is not installed: uv sync --only-group oldest into .tools/oldest")
    modules = [f"fairlead.v1.{path.stem}" for path in (ROOT / "clients/python/fairlead/v1").glob("*_pb2*.py")]
    program = f"import fairlead, {', '.join(modules)}"

    loaded = subprocess.run(
        [python, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )

    assert (loaded.returncode, loaded.stderr) == (0, "")
