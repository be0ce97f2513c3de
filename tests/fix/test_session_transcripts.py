"""Every rule of the session as a transcript, in both versions and in each role that it concerns."""

import pytest
from fairlead_server.fix.session import Role

from tests.fix.transcript import Transcript, read, run

_CASES = [
    pytest.param(transcript, role, id=f"{name}-{role.name.lower()}: {transcript.title}")
    for name in (
        "logon",
        "order",
        "resend",
        "reset",
        "liveness",
        "logout",
        "wrong",
        "strict",
        "next_expected",
    )
    for transcript in read(f"{name}.txt")
    for role in transcript.roles
]


_OF_A_VERSION = [
    pytest.param(transcript, role, id=f"{role.name.lower()}: {transcript.title}")
    for transcript in read("versions.txt")
    for role in transcript.roles
]


@pytest.mark.parametrize("begin_string", ["FIX.4.2", "FIX.4.4"])
@pytest.mark.parametrize(("transcript", "role"), _CASES)
def test_the_session_does_as_the_transcript_says(
    transcript: Transcript, role: Role, begin_string: str
) -> None:
    run(transcript, role, begin_string)


@pytest.mark.parametrize(("transcript", "role"), _OF_A_VERSION)
def test_the_session_does_as_the_transcript_of_a_version_says(transcript: Transcript, role: Role) -> None:
    run(transcript, role, "FIX.4.4")
