"""MsgType(35) of the messages we know, named as in the specification."""

from typing import Final

HEARTBEAT: Final = "0"
TEST_REQUEST: Final = "1"
RESEND_REQUEST: Final = "2"
REJECT: Final = "3"
SEQUENCE_RESET: Final = "4"
LOGOUT: Final = "5"
EXECUTION_REPORT: Final = "8"
ORDER_CANCEL_REJECT: Final = "9"
LOGON: Final = "A"
NEW_ORDER_SINGLE: Final = "D"
ORDER_CANCEL_REQUEST: Final = "F"
ORDER_CANCEL_REPLACE_REQUEST: Final = "G"
ORDER_STATUS_REQUEST: Final = "H"
ORDER_MASS_STATUS_REQUEST: Final = "AF"
ORDER_MASS_CANCEL_REQUEST: Final = "q"
ORDER_MASS_CANCEL_REPORT: Final = "r"
DONT_KNOW_TRADE: Final = "Q"
BUSINESS_MESSAGE_REJECT: Final = "j"

ADMIN: Final = frozenset({HEARTBEAT, TEST_REQUEST, RESEND_REQUEST, REJECT, SEQUENCE_RESET, LOGOUT, LOGON})
"""The session's own messages; all others belong to the application."""

CANCELS: Final = frozenset({ORDER_CANCEL_REQUEST, ORDER_MASS_CANCEL_REQUEST})
