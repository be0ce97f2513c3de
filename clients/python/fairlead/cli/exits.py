"""Exit codes, by class of outcome.

0    done
1    the business refused: an order, amend or cancel was rejected
2    the command, a file or a field is wrong
3    what was named does not exist
4    conflict: a key used twice, an order or session that is not as expected, a cursor too old
5    nobody there, too busy or too late; nothing was created
6    the outcome is unknown: repeat with the same key
7    not allowed
8    the server failed
130  interrupted
141  whoever read the output has gone
"""

from enum import IntEnum

from fairlead import errors
from fairlead.errors import BadValue, CallFailed, FairleadError, OutcomeUnknown, Refused, StreamLost


class ExitCode(IntEnum):
    DONE = 0
    REFUSED = 1
    USAGE = 2
    NOT_FOUND = 3
    CONFLICT = 4
    UNAVAILABLE = 5
    UNKNOWN = 6
    NOT_ALLOWED = 7
    SERVER_FAULT = 8
    INTERRUPTED = 130
    BROKEN_PIPE = 141


_OF: tuple[tuple[type[FairleadError], ExitCode], ...] = (
    (BadValue, ExitCode.USAGE),
    (Refused, ExitCode.REFUSED),
    (OutcomeUnknown, ExitCode.UNKNOWN),
    (StreamLost, ExitCode.UNAVAILABLE),
    (errors.InvalidRequest, ExitCode.USAGE),
    (errors.NotFound, ExitCode.NOT_FOUND),
    (errors.KeyConflict, ExitCode.CONFLICT),
    (errors.Aborted, ExitCode.CONFLICT),
    (errors.PreconditionFailed, ExitCode.CONFLICT),
    (errors.CursorExpired, ExitCode.CONFLICT),
    (errors.NotAuthenticated, ExitCode.NOT_ALLOWED),
    (errors.NotAllowed, ExitCode.NOT_ALLOWED),
    (errors.Unavailable, ExitCode.UNAVAILABLE),
    (errors.DeadlineExceeded, ExitCode.UNAVAILABLE),
    (errors.Cancelled, ExitCode.UNAVAILABLE),
    (errors.LimitExceeded, ExitCode.UNAVAILABLE),
    (CallFailed, ExitCode.SERVER_FAULT),
)

# Of several outcomes in one run, the one that most needs a person.
_GRAVEST = (
    ExitCode.UNKNOWN,
    ExitCode.SERVER_FAULT,
    ExitCode.UNAVAILABLE,
    ExitCode.NOT_ALLOWED,
    ExitCode.CONFLICT,
    ExitCode.NOT_FOUND,
    ExitCode.USAGE,
    ExitCode.REFUSED,
)


def exit_code(error: FairleadError) -> ExitCode:
    return next((code for kind, code in _OF if isinstance(error, kind)), ExitCode.SERVER_FAULT)


def gravest(codes: set[ExitCode]) -> ExitCode:
    return next((code for code in _GRAVEST if code in codes), ExitCode.DONE)
