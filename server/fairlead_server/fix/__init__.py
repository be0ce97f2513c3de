"""A FIX session as a state machine without I/O, for both roles: bytes and the time in, values out.

Start with :mod:`fairlead_server.fix.session`, whose first lines are the contract with whoever drives it.
"""
