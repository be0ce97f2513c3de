"""The published FIX Session Layer Test Cases, each in every version and in each role that it concerns.

Their numbers are those of the list: 1B is the initiator's Logon, 1S the acceptor's, 2 to 20 concern both. Of a title in
``transcripts/scenarios`` the first words are the cases that it shows.
"""

import pytest
from fairlead_server.fix.session import Role

from tests.fix.transcript import VERSIONS, Transcript, read, run_version

_FILES = ("logon", "header", "liveness", "resend", "reset", "logout", "content")
_TRANSCRIPTS = [transcript for name in _FILES for transcript in read(f"scenarios/{name}.txt")]
_CASES = [
    pytest.param(transcript, role, version, id=f"{version}-{role.name.lower()}: {transcript.title}")
    for transcript in _TRANSCRIPTS
    for role in transcript.roles
    for version in transcript.versions
]

_PUBLISHED = frozenset(
    f"{scenario}{case}"
    for scenario, cases in {
        "1B-": "abcde",
        "1S-": "acde",  # b, a second connection of the same peer, is for whoever listens: see fix_sim
        "2": "abcdefghijklmnopqrst",
        "3": "abcde",
        "4": "ab",
        "10": "abcde",
        "11": "abc",
        "13": "ab",
        "14": "abcdefghi",
        "16": "b",  # a, to queue while there is no session, is for the application
        "17": "ab",  # of encryption there is none but none
        "18": "ab",
        "19": "ab",
    }.items()
    for case in cases
) | {"5", "6", "7", "8", "9", "12", "15", "20"}


@pytest.mark.parametrize(("transcript", "role", "version"), _CASES)
def test_the_session_does_as_the_published_case_says(
    transcript: Transcript, role: Role, version: str
) -> None:
    run_version(transcript, role, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_published_case_is_left_out(version: str) -> None:
    of_version = [transcript for transcript in _TRANSCRIPTS if version in transcript.versions]

    assert frozenset().union(*(transcript.cases for transcript in of_version)) == _PUBLISHED
